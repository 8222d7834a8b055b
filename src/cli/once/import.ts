import { setTimeout as delay } from 'node:timers/promises';
import { GoromdbError } from '../../common/errors.ts';
import type { FileRecord } from '../../inspect/find.ts';
import { keyText } from '../../inspect/key-text.ts';
import { keyFault, wishFault } from '../../once/item.ts';
import { TRANSACTION_BYTES_MAX, TRANSACTION_KEYS_MAX } from '../../once/limits.ts';
import type { Creation, Store, Wish } from '../../once/once.ts';

/** Transactions that are under way at one time. */
const TRANSACTIONS_AT_ONCE = 8;
/** A transaction that came to nothing is tried again this often; each wait is twice the one before. */
const RETRIES_MAX = 6;
const RETRY_MS = 100;

/** What came of an import. */
export interface Imported {
  created: number;
  /** Keys that have had the value before. */
  same: number;
  /** Keys that have another value, and keep it. */
  conflicts: number;
}

export interface ImportHooks {
  /** The media type of all values; empty: none. */
  readonly type: string;
  onConflict(key: Buffer): void;
  /** Called with how many keys are done. */
  onProgress(keys: number): void;
  readonly signal: AbortSignal;
}

/**
 * Looks at all records before the first one is created.
 *
 * @throws GoromdbError DATA_CORRUPT; LOADER_FAILED when it is aborted.
 */
export async function checkRecords(
  records: AsyncIterable<FileRecord>,
  { type, onProgress, signal }: Pick<ImportHooks, 'type' | 'onProgress' | 'signal'>,
): Promise<void> {
  let keys = 0;
  for await (const record of records) {
    throwIfAborted(signal);
    onProgress(keys++);
    const fault = keyFault(record.key) ?? wishFault({ ...record, type });
    if (fault === undefined) continue;
    throw new GoromdbError('DATA_CORRUPT', `key ${keyText(record.key)}: ${fault}`);
  }
}

/**
 * Creates keys, many in one transaction. Whatever breaks, it may run again: values are compared.
 *
 * @param records Each key once.
 * @throws GoromdbError SERVER_FAILED when etcd refuses, or cannot be reached for long; LOADER_FAILED
 *   when it is aborted.
 */
export async function importRecords(
  records: AsyncIterable<FileRecord>,
  store: Store,
  { type, onConflict, onProgress, signal }: ImportHooks,
): Promise<Imported> {
  const imported = { created: 0, same: 0, conflicts: 0 };
  const note = ({ key }: Wish, { kind }: Creation): void => {
    if (kind === 'created' || kind === 'same') imported[kind]++;
    else onConflict(key);
    if (kind === 'conflict') imported.conflicts++;
  };
  const batches = batchesOf(records, type);
  const lane = async (): Promise<void> => {
    // All lanes take from one generator: a lane that throws ends it, and so the others.
    for await (const batch of batches) {
      const creations = await createBatch(store, batch, signal);
      for (const [i, creation] of creations.entries()) note(batch[i], creation);
      onProgress(imported.created + imported.same + imported.conflicts);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: TRANSACTIONS_AT_ONCE }, lane));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return imported;
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new GoromdbError('LOADER_FAILED', 'the import was aborted');
}

/** @returns What came of each; every outcome is known. */
async function createBatch(
  store: Store,
  batch: readonly Wish[],
  signal: AbortSignal,
): Promise<readonly Creation[]> {
  for (let retry = 0; ; retry++) {
    throwIfAborted(signal);
    const creations = await store.createAll(batch);
    const failed = creations.find((creation) => 'why' in creation);
    if (failed === undefined || !('why' in failed)) return creations;
    if ('isForeign' in failed) {
      const message = `${failed.why}; the import ends, and some keys may have been created`;
      throw new GoromdbError('SERVER_FAILED', message);
    }
    if (failed.kind === 'full' || retry === RETRIES_MAX) {
      const what = failed.kind === 'full' ? 'the database of etcd is full' : 'etcd does not answer';
      const message = `${what} (${failed.why}); some keys may have been created: run it again, which is safe`;
      throw new GoromdbError('SERVER_FAILED', message);
    }
    await delay(RETRY_MS * 2 ** retry, undefined, { signal }).catch(() => throwIfAborted(signal));
  }
}

/** As many as fit into one transaction. */
async function* batchesOf(
  records: AsyncIterable<FileRecord>,
  type: string,
): AsyncGenerator<readonly Wish[], void, void> {
  let batch: Wish[] = [];
  let bytes = 0;
  for await (const record of records) {
    const more = record.key.length + record.value.length;
    if (batch.length === TRANSACTION_KEYS_MAX || bytes + more > TRANSACTION_BYTES_MAX) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push({ ...record, type });
    bytes += more;
  }
  if (batch.length > 0) yield batch;
}
