/** The commands that read a key from a server: with what most machines have, and from Python. */
import { resolve } from 'node:path';
import type { ServerOptions } from '../../app/options.ts';
import type { Address } from '../../common/address.ts';
import { quoted } from '../process/shell-words.ts';

/** Where a server listens, and what its clients need. */
type Reachable = Pick<ServerOptions, 'access' | 'protocol'> & { readonly address: Address };

/** @returns A command each; none where the clients of these would not be let in or understood. */
export function firstReads(server: Reachable, key: string): readonly string[] {
  const { protocol = 'memcached' } = server;
  const isOpen = server.access?.tls === undefined && server.access?.userFile === undefined;
  const text = isOpen && ['memcached', 'text'].includes(protocol);
  const redis = ['memcached', 'redis'].includes(protocol);
  return [
    ...(text ? [netcat(server.address, key)] : []),
    ...(redis ? [redisCli(server, key)] : []),
    ...(text ? [python(server.address, key)] : []),
  ];
}

function netcat(address: Address, key: string): string {
  const target =
    address.kind === 'unix' ? `-U ${pathOf(address)}` : `${hostOf(address)} ${address.port}`;
  return `printf 'get %s\\r\\nquit\\r\\n' ${quoted(key)} | nc ${target}`;
}

function redisCli({ address, access }: Reachable, key: string): string {
  const target =
    address.kind === 'unix'
      ? `-s ${pathOf(address)}`
      : `${isHere(address) ? '' : `-h ${hostOf(address)} `}-p ${address.port}`;
  const tls = access?.tls === undefined ? '' : ` --tls --cacert ${quoted(access.tls.certFile)}`;
  const user = access?.userFile === undefined ? '' : ' --user NAME --askpass';
  return `redis-cli ${target}${tls}${user} get ${quoted(key)}`;
}

function python(address: Address, key: string): string {
  const target =
    address.kind === 'unix' ? pythonText(resolve(address.path)) : pythonText(endpointOf(address));
  const lines = `from pymemcache import Client; print(Client(${target}).get(${pythonText(key)}))`;
  return `python3 -c ${quoted(lines)}`;
}

/** JSON's strings are Python's, but for characters beyond the BMP, which need no escape. */
function pythonText(text: string): string {
  return JSON.stringify(text);
}

type Tcp = Extract<Address, { kind: 'tcp' }>;

function hostOf({ host }: Tcp): string {
  return host ?? 'localhost';
}

/** Where redis-cli looks unasked. */
function isHere({ host }: Tcp): boolean {
  return host === undefined || host === '127.0.0.1';
}

function endpointOf(address: Tcp): string {
  const host = hostOf(address);
  return `${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

function pathOf({ path }: Extract<Address, { kind: 'unix' }>): string {
  return quoted(resolve(path));
}
