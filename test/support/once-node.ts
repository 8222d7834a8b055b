import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type NodeRequest, type RunningNode, startNode } from '../../src/cli/once/node.ts';
import { formatAddress } from '../../src/common/address.ts';
import { type Logger, silentLogger } from '../../src/common/log.ts';
import { connectEtcd } from '../../src/etcd/connect.ts';
import type { Etcd } from '../../src/etcd/etcd.ts';
import { cacheStore } from '../../src/once/cache.ts';
import { createEtcdStore } from '../../src/once/etcd-store.ts';
import { type ApiOptions, startApi } from '../../src/once/http/api.ts';
import { CACHE_BYTES } from '../../src/once/limits.ts';
import type { CachedStore } from '../../src/once/once.ts';
import { FakeEtcd } from './fake-etcd.ts';
import { temporaryFolder } from './folder.ts';

export const PREFIX = '/goromdb/once/';
export const LOOPBACK = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;

/** A node's store, on an etcd in memory. */
export async function storeOnFake(): Promise<{ etcd: FakeEtcd; store: CachedStore }> {
  const etcd = await FakeEtcd.start();
  return { etcd, store: storeOn([etcd.url]) };
}

/** A node's store, on a cluster. */
export function storeOn(endpoints: readonly string[], cacheBytes = CACHE_BYTES): CachedStore {
  return cacheStore(createEtcdStore(clientOf(endpoints), { prefix: PREFIX }), cacheBytes);
}

export function clientOf(endpoints: readonly string[]): Etcd {
  const client = connectEtcd({ endpoints });
  onTestFinished(() => client.close());
  return client;
}

/** Serves a store over HTTP. @returns Its URL. */
export async function serveHttp(
  store: CachedStore,
  more: Partial<ApiOptions> = {},
): Promise<string> {
  const api = await startApi({ address: LOOPBACK, ...more }, store, silentLogger);
  onTestFinished(() => api.close());
  return `http://127.0.0.1:${api.address.kind === 'tcp' ? api.address.port : ''}`;
}

/** A whole node, registered in etcd. @returns Its URL, and how it is ended. */
export async function startWholeNode(
  endpoints: readonly string[],
  more: Partial<NodeRequest> = {},
  logger: Logger = silentLogger,
): Promise<{ readonly url: string } & Omit<RunningNode, 'http'>> {
  const nothing = undefined;
  const request: NodeRequest = {
    place: {
      ...{ urls: endpoints, loginFile: nothing, prefix: PREFIX },
      tls: { ca: nothing, cert: nothing, key: nothing },
    },
    ...{ staleReads: false, warm: false, cacheBytes: CACHE_BYTES, http: LOOPBACK },
    ...{
      announce: nothing,
      addr: nothing,
      authFile: nothing,
      hosts: [],
      tokenFile: nothing,
      allow: nothing,
    },
    tls: nothing,
    ...more,
  };
  const node = await startNode(request, logger);
  onTestFinished(() => node.close());
  return { ...node, url: `http://${formatAddress(node.http)}` };
}

/** A file that only its owner reads. @returns Its path. */
export function secretFile(text: string): string {
  const path = join(temporaryFolder(), 'secret');
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}
