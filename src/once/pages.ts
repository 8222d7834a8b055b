import { GoromdbError } from '../common/errors.ts';
import type { Etcd, Found, KeyValue } from '../etcd/etcd.ts';
import { LIST_KEYS_MAX } from '../etcd/limits.ts';
import { keyRange } from './keys.ts';

/** Bytes of values that a page should have: etcd sends them well within the time of a read. */
const PAGE_BYTES = 8 * 1024 * 1024;
/** Keys of the first page. */
const PAGE_KEYS_MIN = 16;

/**
 * All keys of a prefix as they are at one revision, in pages, until the signal. Keys that are created
 * meanwhile are left out.
 *
 * @throws GoromdbError SERVER_FAILED when etcd does not answer, or has compacted the revision.
 */
export async function* keyPages(
  etcd: Etcd,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<Found, void> {
  const { end, ...first } = keyRange(prefix);
  let { key } = first;
  let revision: number | undefined;
  let limit = PAGE_KEYS_MIN;
  while (!signal.aborted) {
    const outcome = await etcd.range({ key, end, limit, ...(revision && { revision }) });
    if (outcome.kind !== 'done') {
      const isTooMuch =
        limit > 1 && outcome.kind === 'not-done' && outcome.reason === 'unreachable';
      // Values may have become larger, and the page more than etcd sends in time.
      limit = Math.ceil(limit / 16);
      if (isTooMuch) continue;
      throw new GoromdbError('SERVER_FAILED', `etcd: ${outcome.why}; try again`);
    }
    const { records, hasMore } = outcome.value;
    revision ??= outcome.value.revision;
    yield { records, revision, hasMore };
    limit = nextLimit(limit, records);
    if (!hasMore || records.length === 0) return;
    // The first key behind the last one.
    key = Buffer.concat([records.at(-1)!.key, Buffer.of(0)]);
  }
}

function nextLimit(limit: number, records: readonly KeyValue[]): number {
  const bytes = records.reduce((sum, { value }) => sum + value.length, 0);
  if (bytes > PAGE_BYTES) return Math.max(1, Math.floor(limit / 2));
  return bytes < PAGE_BYTES / 4 ? Math.min(LIST_KEYS_MAX, limit * 2) : limit;
}
