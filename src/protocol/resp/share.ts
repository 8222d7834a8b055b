import { isMainThread, threadId } from 'node:worker_threads';
import type { ServerFacts, SessionContext } from '../protocol.ts';
import type { ConnectedClient } from './client.ts';
import { ClusterMap } from './cluster-map.ts';
import { Args } from './frame.ts';
import { ScanPositions } from './positions.ts';

/** Client ids of different threads differ in their last digits. */
const THREADS_RANGE = 1000;

const THREAD = isMainThread ? 0 : threadId % THREADS_RANGE;

/** Whether a client with this id may be connected to another thread than this one. */
export function mayBeElsewhere(id: number, { threads }: ServerFacts): boolean {
  return threads > 1 && id > THREADS_RANGE && id % THREADS_RANGE !== THREAD;
}

/** What the sessions of one thread share. */
export class RespShare {
  readonly positions = new ScanPositions();
  /** For the one command that runs at a time. */
  readonly args = new Args();
  readonly clients = new Map<number, ConnectedClient>();
  #clientsSeen = 0;
  #map: ClusterMap | undefined;

  /** What the cluster is like that the context is about. */
  mapOf({ redisCluster }: SessionContext): ClusterMap | undefined {
    if (redisCluster === undefined) return undefined;
    if (this.#map?.cluster !== redisCluster) this.#map = new ClusterMap(redisCluster);
    return this.#map;
  }

  /** A number that no other client of this process has. */
  nextClientId(): number {
    this.#clientsSeen++;
    return this.#clientsSeen * THREADS_RANGE + THREAD;
  }
}
