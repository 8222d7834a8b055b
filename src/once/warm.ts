/** Fills a cache with what is there, and with what others create from then on. */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../common/errors.ts';
import type { Logger } from '../common/log.ts';
import type { Etcd, KeyValue } from '../etcd/etcd.ts';
import { decodeItem } from './item.ts';
import { keyRange } from './keys.ts';
import type { CachedStore, Item } from './once.ts';
import { keyPages } from './pages.ts';

/** After a list that failed. */
const RETRY_MS = 2_000;

export interface Warmth {
  /** What is under way comes to nothing. */
  close(): void;
}

/**
 * Keeps a cache warm until it is closed. A value is final: so whatever is missed here, or comes late, the
 * cache says nothing wrong.
 */
export function warmCache(
  etcd: Etcd,
  prefix: string,
  cache: Pick<CachedStore, 'offer' | 'learn' | 'figures'>,
  logger: Logger,
): Warmth {
  const stop = new AbortController();
  const { signal } = stop;
  const keyStart = Buffer.byteLength(prefix, 'utf8');
  let isWell = true;
  const warn = (why: string): void => {
    const message = `keys that others create are not seen now, and are read from etcd when they are asked for: ${why}`;
    if (isWell) logger.warn(message, { event: 'cache-warming-failed' });
    isWell = false;
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        const { revision, isFull } = await list();
        if (signal.aborted) return;
        isWell = true;
        const rest = isFull ? ', and no room for the rest' : '';
        const message = `the cache is warm: ${cache.figures.cachedItems} values${rest}`;
        logger.info(message, { event: 'cache-warm' });
        await etcd.follow(keyRange(prefix), revision + 1, { onChange, onBreak: warn }, signal);
      } catch (error) {
        warn(messageOf(error));
      }
      await delay(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  };

  const list = async (): Promise<{ readonly revision: number; readonly isFull: boolean }> => {
    let revision = 0;
    for await (const page of keyPages(etcd, prefix, signal)) {
      revision = page.revision;
      for (const record of page.records) {
        const item = itemOf(record);
        const isKept = item === undefined || cache.offer(record.key.subarray(keyStart), item);
        if (!isKept) return { revision, isFull: true };
      }
    }
    return { revision, isFull: false };
  };

  const onChange = ({
    kind,
    record,
  }: {
    readonly kind: string;
    readonly record: KeyValue;
  }): void => {
    isWell = true;
    const item = kind === 'put' ? itemOf(record) : undefined;
    if (item !== undefined) cache.learn(record.key.subarray(keyStart), item);
  };

  void run();
  return { close: () => stop.abort() };
}

/** @returns undefined: another program has written it, which is said when it is read. */
function itemOf(record: KeyValue): Item | undefined {
  // Somebody has put it a second time: what it was set to is not known here.
  if (record.createRevision !== record.modRevision) return undefined;
  try {
    return decodeItem(record);
  } catch {
    return undefined;
  }
}
