/** What belongs in this folder: runs `goromdb once`: one node, or a trial with etcd on loopback. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import process from 'node:process';
import { type Address, formatAddress } from '../../common/address.ts';
import { createLineLogger, type Logger } from '../../common/log.ts';
import { VERSION } from '../../common/version.ts';
import { connectEtcd } from '../../etcd/connect.ts';
import type { EtcdOptions } from '../../etcd/gateway.ts';
import { readToken } from '../../http/guard.ts';
import { createAdmin } from '../../once/admin/admin.ts';
import { cacheStore } from '../../once/cache.ts';
import { createEtcdStore } from '../../once/etcd-store.ts';
import { startApi } from '../../once/http/api.ts';
import { registerNode } from '../../once/nodes.ts';
import type { NodeFacts } from '../../once/overview.ts';
import { startWire } from '../../once/wire/listener.ts';
import { createAllowList, loadTls, type TlsFiles } from '../../server/access.ts';
import { misuse } from '../options/option.ts';

/** What one node is started with. */
export interface NodeRequest {
  readonly etcd: readonly string[];
  readonly loginFile: string | undefined;
  readonly etcdTls: {
    readonly ca: string | undefined;
    readonly cert: string | undefined;
    readonly key: string | undefined;
  };
  readonly prefix: string;
  readonly staleReads: boolean;
  readonly cacheBytes: number;
  readonly http: Address;
  /** Where other nodes reach its HTTP. Default: where it listens. */
  readonly announce: URL | undefined;
  /** Where clients of memcached and Redis come; undefined: nowhere. */
  readonly addr: Address | undefined;
  readonly hosts: readonly string[];
  readonly tokenFile: string | undefined;
  readonly allow: readonly string[] | undefined;
  readonly tls: TlsFiles | undefined;
}

/** A node that serves. */
export interface RunningNode {
  readonly http: Address;
  close(): Promise<void>;
}

/** @throws GoromdbError ADDRESS_UNAVAILABLE, FILE_UNREADABLE, OPTION_INVALID. */
export async function startNode(
  request: NodeRequest,
  logger: Logger = createLineLogger((line) => void process.stderr.write(line)),
): Promise<RunningNode> {
  const { prefix, staleReads, cacheBytes, allow, tls, tokenFile } = request;
  const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
  const etcd = connectEtcd(etcdOptions(request));
  const store = createEtcdStore(etcd, { prefix, isStaleAllowed: staleReads });
  const cached = cacheStore(store, cacheBytes);
  const access = {
    allow: allow === undefined ? undefined : createAllowList(allow),
    tls: tls === undefined ? undefined : loadTls(tls),
  };
  let facts = ownFacts();
  const admin = createAdmin({
    ...{ etcd, prefix, facts: () => facts, figures: () => cached.figures },
    ...{ needsToken: token !== undefined, tls: access.tls },
  });
  const options = { address: request.http, hosts: request.hosts, token, ...access, admin };
  const api = await startApi(options, cached, logger);
  facts = { ...facts, url: announced(request, api.address) };
  const { addr } = request;
  const wire = addr && (await startWire({ address: addr, ...access }, cached, logger));
  const registration = registerNode(etcd, prefix, facts, logger);
  return {
    http: api.address,
    async close() {
      await registration.close();
      await Promise.all([api.close(), wire?.close()]);
      etcd.close();
    },
  };
}

function ownFacts(): NodeFacts {
  return {
    ...{ id: randomBytes(8).toString('hex'), host: os.hostname(), pid: process.pid },
    ...{ version: VERSION, startedAt: new Date().toISOString() },
  };
}

/** Where others reach a node: on all interfaces, by the name of its machine. */
function announced({ announce, tls }: NodeRequest, address: Address): string | undefined {
  if (announce !== undefined) return announce.href.replace(/\/$/, '');
  if (address.kind === 'unix') return undefined;
  const { host = '::' } = address;
  const isAny = host === '::' || host === '0.0.0.0';
  const where = formatAddress({ ...address, host: isAny ? os.hostname() : host });
  return `${tls === undefined ? 'http' : 'https'}://${where}`;
}

function etcdOptions({ etcd, loginFile, etcdTls: { ca, cert, key } }: NodeRequest): EtcdOptions {
  const tls = {
    ...(ca && { ca: readFileSync(ca) }),
    ...(cert && { cert: readFileSync(cert) }),
    ...(key && { key: readFileSync(key) }),
  };
  return { endpoints: etcd, tls, ...(loginFile && { login: loginOf(loginFile) }) };
}

/** The first line of a file: `user:password`. */
function loginOf(path: string): { readonly user: string; readonly password: string } {
  const [line] = readFileSync(path, 'utf8').split(/\r?\n/, 1);
  const colon = line.indexOf(':');
  if (colon > 0) return { user: line.slice(0, colon), password: line.slice(colon + 1) };
  throw misuse(`-etcd-login-file: ${path}: expected a line user:password, found none`);
}

/** The lines to type that show what a node does, and where its page is. */
export function walkThrough(address: Address): string {
  const url = `http://${formatAddress(address)}`;
  return `  curl -XPOST ${url}/key -d '{"key":"foo","value":"bar"}'\n  curl ${url}/key/foo\nThe admin page: ${url}/admin\n`;
}
