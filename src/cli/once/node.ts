/** What belongs in this folder: runs `goromdb once`: one node, or a trial with etcd on loopback. */
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import process from 'node:process';
import type tls from 'node:tls';
import { type Address, formatAddress, isAnyHost } from '../../common/address.ts';
import { codeOf, messageOf } from '../../common/errors.ts';
import { createLineLogger, type Logger } from '../../common/log.ts';
import { VERSION } from '../../common/version.ts';
import { readToken, type Token } from '../../http/guard.ts';
import { createAdmin } from '../../once/admin/admin.ts';
import { cacheStore } from '../../once/cache.ts';
import { createEtcdStore } from '../../once/etcd-store.ts';
import { startApi } from '../../once/http/api.ts';
import { registerNode } from '../../once/nodes.ts';
import type { NodeFacts } from '../../once/overview.ts';
import { warmCache } from '../../once/warm.ts';
import { startWire } from '../../once/wire/listener.ts';
import type { Authenticate } from '../../protocol/protocol.ts';
import { createAllowList, loadTls, loadUsers, type TlsFiles } from '../../server/access.ts';
import type { EtcdPlace } from '../options/etcd.ts';
import { connectPlace } from './place.ts';

/** What one node is started with. */
export interface NodeRequest {
  readonly place: EtcdPlace;
  readonly staleReads: boolean;
  /** Whether the cache is given all that is there, and all that others create. */
  readonly warm: boolean;
  readonly cacheBytes: number;
  readonly http: Address;
  /** Where other nodes reach its HTTP. Default: where it listens. */
  readonly announce: URL | undefined;
  /** Where clients of memcached and Redis come; undefined: nowhere. */
  readonly addr: Address | undefined;
  /** File of those who may log in, there and over HTTP; undefined: nobody has to. */
  readonly authFile: string | undefined;
  readonly hosts: readonly string[];
  readonly tokenFile: string | undefined;
  readonly allow: readonly string[] | undefined;
  readonly tls: TlsFiles | undefined;
}

/** A node that serves. */
export interface RunningNode {
  readonly http: Address;
  /** Where clients of memcached and Redis come. */
  readonly addr: Address | undefined;
  /** Reads the token, users and certificates again, and logs what came of it. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** @throws GoromdbError ADDRESS_UNAVAILABLE, FILE_UNREADABLE, OPTION_INVALID. */
export async function startNode(
  request: NodeRequest,
  logger: Logger = createLineLogger((line) => void process.stderr.write(line)),
): Promise<RunningNode> {
  const { place, addr, allow, tls, authFile } = request;
  let secrets = await readSecrets(request);
  const etcd = connectPlace(place);
  const store = createEtcdStore(etcd, { prefix: place.prefix, isStaleAllowed: request.staleReads });
  const cached = cacheStore(store, request.cacheBytes);
  let facts = ownFacts();
  const admin = createAdmin({
    ...{ etcd, prefix: place.prefix, facts: () => facts, figures: () => cached.figures },
    // With logins, the browser asks for one.
    needsToken: request.tokenFile !== undefined && authFile === undefined,
    tls: () => secrets.tls,
  });
  const list = allow === undefined ? undefined : createAllowList(allow);
  const options = { address: request.http, hosts: request.hosts, allow: list, ...secrets, admin };
  const api = await startApi(options, cached, logger);
  facts = { ...facts, url: announced(request, api.address) };
  const wireAccess = { allow: allow ?? [], tls, userFile: authFile };
  const wire = addr && (await startWire({ address: addr, access: wireAccess }, cached, logger));
  const warmth = request.warm ? warmCache(etcd, place.prefix, cached, logger) : undefined;
  const registration = registerNode(etcd, place.prefix, facts, logger);
  return {
    ...{ http: api.address, addr: wire?.address },
    async reload() {
      logger.info('SIGHUP: reloads', { event: 'reload-begun' });
      try {
        // All is read before any of it is used.
        const fresh = await readSecrets(request);
        wire?.reload();
        secrets = fresh;
        api.use(fresh, fresh.tls);
        logger.info('reloaded: certificates, users and the token', { event: 'reload-done' });
      } catch (error) {
        const fields = { event: 'reload-failed', code: codeOf(error) } as const;
        logger.error(`not reloaded: ${messageOf(error)}; what was in use stays`, fields);
      }
    },
    async close() {
      warmth?.close();
      await registration.close();
      await Promise.all([api.close(), wire?.close()]);
      etcd.close();
    },
  };
}

/** What clients must know, and what they are shown. */
async function readSecrets({ tokenFile, authFile, tls }: NodeRequest): Promise<{
  readonly token: Token | undefined;
  readonly users: Authenticate | undefined;
  readonly tls: tls.TlsOptions | undefined;
}> {
  return {
    token: tokenFile === undefined ? undefined : await readToken(tokenFile),
    users: authFile === undefined ? undefined : loadUsers(authFile),
    tls: tls === undefined ? undefined : loadTls(tls),
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
  const where = formatAddress({ ...address, host: isAnyHost(host) ? os.hostname() : host });
  return `${tls === undefined ? 'http' : 'https'}://${where}`;
}

/** The lines to type that show what a node does, and where its page is. */
export function walkThrough(
  { tls, tokenFile, authFile }: Pick<NodeRequest, 'tls' | 'tokenFile' | 'authFile'>,
  address: Address,
): string {
  const isUnix = address.kind === 'unix';
  const host = isUnix ? 'localhost' : formatAddress(address);
  const url = `${tls === undefined ? 'http' : 'https'}://${host}`;
  const curl = [
    'curl',
    ...(isUnix ? ['--unix-socket', address.path] : []),
    ...(tls === undefined ? [] : ['--cacert', tls.certFile]),
    ...(authFile === undefined ? [] : ['-u USER:PASSWORD']),
  ].join(' ');
  const isTokenNeeded = tokenFile !== undefined && authFile === undefined;
  const token = isTokenNeeded ? ` -H "Authorization: Bearer $(cat ${tokenFile})"` : '';
  const post = `${curl}${token} -XPOST ${url}/key -d '{"key":"foo","value":"bar"}'`;
  // No browser opens a UNIX socket.
  const page = isUnix ? '' : `The admin page: ${url}/admin\n`;
  return `  ${post}\n  ${curl} ${url}/key/foo\n${page}`;
}
