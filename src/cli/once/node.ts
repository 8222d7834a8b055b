/** What belongs in this folder: runs `goromdb once`: one node, or a trial with etcd on loopback. */
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import process from 'node:process';
import { type Address, formatAddress, isAnyHost } from '../../common/address.ts';
import { createLineLogger, type Logger } from '../../common/log.ts';
import { VERSION } from '../../common/version.ts';
import { readToken } from '../../http/guard.ts';
import { createAdmin } from '../../once/admin/admin.ts';
import { cacheStore } from '../../once/cache.ts';
import { createEtcdStore } from '../../once/etcd-store.ts';
import { startApi } from '../../once/http/api.ts';
import { registerNode } from '../../once/nodes.ts';
import type { NodeFacts } from '../../once/overview.ts';
import { warmCache } from '../../once/warm.ts';
import { startWire } from '../../once/wire/listener.ts';
import { createAllowList, loadTls, type TlsFiles } from '../../server/access.ts';
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
  /** File of those who may log in there; undefined: nobody has to. */
  readonly authFile: string | undefined;
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
  const { place, staleReads, cacheBytes, allow, tls, tokenFile } = request;
  const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
  const etcd = connectPlace(place);
  const store = createEtcdStore(etcd, { prefix: place.prefix, isStaleAllowed: staleReads });
  const cached = cacheStore(store, cacheBytes);
  const access = {
    allow: allow === undefined ? undefined : createAllowList(allow),
    tls: tls === undefined ? undefined : loadTls(tls),
  };
  let facts = ownFacts();
  const admin = createAdmin({
    ...{ etcd, prefix: place.prefix, facts: () => facts, figures: () => cached.figures },
    ...{ needsToken: token !== undefined, tls: access.tls },
  });
  const options = { address: request.http, hosts: request.hosts, token, ...access, admin };
  const api = await startApi(options, cached, logger);
  facts = { ...facts, url: announced(request, api.address) };
  const { addr } = request;
  const wireAccess = { allow: allow ?? [], tls, userFile: request.authFile };
  const wire = addr && (await startWire({ address: addr, access: wireAccess }, cached, logger));
  const warmth = request.warm ? warmCache(etcd, place.prefix, cached, logger) : undefined;
  const registration = registerNode(etcd, place.prefix, facts, logger);
  return {
    http: api.address,
    async close() {
      warmth?.close();
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
  const where = formatAddress({ ...address, host: isAnyHost(host) ? os.hostname() : host });
  return `${tls === undefined ? 'http' : 'https'}://${where}`;
}

/** The lines to type that show what a node does, and where its page is. */
export function walkThrough(address: Address): string {
  const url = `http://${formatAddress(address)}`;
  return `  curl -XPOST ${url}/key -d '{"key":"foo","value":"bar"}'\n  curl ${url}/key/foo\nThe admin page: ${url}/admin\n`;
}
