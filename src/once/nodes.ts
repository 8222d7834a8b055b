/** The nodes that serve the keys of one prefix: each registers itself in etcd, under a lease. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../common/log.ts';
import { type Etcd, endOfPrefix } from '../etcd/etcd.ts';
import { LEASE_SECONDS, NODES_MAX, REGISTER_BYTES_MAX } from './limits.ts';
import type { NodeFacts } from './overview.ts';

/** What a node is registered by, as long as it lives. */
export interface Registration {
  /** Takes the node off the list. */
  close(): Promise<void>;
}

/** How often a lease is renewed, and how long it takes to try again. */
const RENEW_MS = (LEASE_SECONDS * 1000) / 3;
/** An etcd that does not answer must not hold up the end of a node: then the lease runs out. */
const LEAVE_MS_MAX = 1_000;

/**
 * What the keys of nodes begin with. They are below the prefix, as whoever may write there is the one who
 * may register; and no key that a client can name begins with a control character.
 */
function nodesPrefix(prefix: string): Buffer {
  return Buffer.from(`${prefix}\0nodes/`, 'utf8');
}

/** Registers a node, and again whenever etcd has forgotten it, until it is closed. */
export function registerNode(
  etcd: Etcd,
  prefix: string,
  facts: NodeFacts,
  logger: Logger,
): Registration {
  const key = Buffer.concat([nodesPrefix(prefix), Buffer.from(facts.id, 'latin1')]);
  const value = Buffer.from(JSON.stringify(facts), 'utf8');
  const stop = new AbortController();
  let lease: string | undefined;
  let isKnown = true;

  /** @returns Why it is not registered; undefined: it is. */
  const renew = async (): Promise<string | undefined> => {
    if (lease !== undefined) {
      const renewed = await etcd.renewLease(lease);
      if (renewed.kind !== 'done') return renewed.why;
      if (renewed.value > 0) return undefined;
      lease = undefined;
    }
    const granted = await etcd.grantLease(LEASE_SECONDS);
    if (granted.kind !== 'done') return granted.why;
    // Whatever comes of it: it goes with the lease.
    const put = await etcd.put(key, value, granted.value);
    if (put.kind !== 'done') return put.why;
    lease = granted.value;
    return undefined;
  };

  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const why = await renew();
      if (stop.signal.aborted) break;
      if (why !== undefined && isKnown) {
        const message = `this node is not registered, and serves all the same; pages of other nodes do not show it, and it is tried again: ${why}`;
        logger.warn(message, { event: 'node-not-registered' });
      }
      if (why === undefined && !isKnown) {
        logger.info('this node is registered', { event: 'node-registered' });
      }
      isKnown = why === undefined;
      await delay(RENEW_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
    if (lease !== undefined) await etcd.revokeLease(lease);
  };

  const ended = run();
  return {
    async close() {
      stop.abort();
      const late = new AbortController();
      const wait = delay(LEAVE_MS_MAX, undefined, { signal: late.signal }).catch(() => {});
      await Promise.race([ended, wait]);
      late.abort();
    },
  };
}

/** @returns The nodes by their ids, or a text that says why nobody knows. */
export async function listNodes(
  etcd: Etcd,
  prefix: string,
): Promise<readonly NodeFacts[] | string> {
  const key = nodesPrefix(prefix);
  // Without a quorum a member still knows who was there.
  const range = { key, end: endOfPrefix(key), limit: NODES_MAX, isStaleAllowed: true };
  const outcome = await etcd.range(range);
  if (outcome.kind !== 'done') return outcome.why;
  return outcome.value.records.flatMap(({ value }) => factsOf(value) ?? []);
}

/** @returns undefined: another program has written it. */
function factsOf(value: Buffer): NodeFacts | undefined {
  if (value.length > REGISTER_BYTES_MAX) return undefined;
  try {
    const { id, host, pid, version, startedAt, url } = JSON.parse(value.toString('utf8')) as Record<
      string,
      unknown
    >;
    if (typeof id !== 'string' || typeof host !== 'string' || typeof pid !== 'number') return;
    if (typeof version !== 'string' || typeof startedAt !== 'string') return undefined;
    const facts = { id, host, pid, version, startedAt };
    return typeof url === 'string' && isHttp(url) ? { ...facts, url } : facts;
  } catch {
    return undefined;
  }
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
