import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { remove, syncFile } from '../common/files.ts';
import { cannotWrite } from '../storage/table/table-writer.ts';
import type { ReadBack } from './read-back.ts';

/** Longest key of the npm package lmdb, which has pages of 4096 bytes. */
const KEY_BYTES_MAX = 1978;

/** A transaction has so many records or bytes: LMDB holds what it changes in memory. */
const BATCH_RECORDS = 10_000;
const BATCH_BYTES = 16 * 1024 * 1024;

/**
 * Writes records to an LMDB file of data format 2, as the npm package lmdb reads and writes it. The
 * records are the same each time, a few bytes of the file's meta pages are not.
 *
 * @throws GoromdbError FORMAT_UNSUPPORTED for what LMDB cannot hold; DISK_FULL, FOLDER_UNUSABLE.
 */
export async function writeLmdb(path: string, readBack: ReadBack): Promise<void> {
  const { open } = await import('lmdb');
  const db = attempt(path, () =>
    open<Buffer, Buffer>({
      ...{ path, noSubdir: true, encoding: 'binary', keyEncoding: 'binary' },
      // It is flushed once, at its end.
      ...{ noSync: true, overlappingSync: false, maxDbs: 1 },
    }),
  );
  let batch: (readonly [key: Buffer, value: Buffer])[] = [];
  let bytes = 0;
  const flush = (): void => {
    attempt(path, () =>
      db.transactionSync(() => {
        for (const [key, value] of batch) db.putSync(key, value);
      }),
    );
    batch = [];
    bytes = 0;
  };
  try {
    await readBack({
      add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags) {
        check(keyEnd - keyStart, flags);
        batch.push([
          Buffer.from(key.subarray(keyStart, keyEnd)),
          Buffer.from(value.subarray(valueStart, valueEnd)),
        ]);
        bytes += keyEnd - keyStart + valueEnd - valueStart;
        if (batch.length === BATCH_RECORDS || bytes >= BATCH_BYTES) flush();
      },
    });
    flush();
  } finally {
    await db.close();
    await remove(`${path}-lock`);
  }
  await syncFile(path);
}

function check(keyBytes: number, flags: number): void {
  const found =
    keyBytes === 0
      ? 'the empty key'
      : keyBytes > KEY_BYTES_MAX
        ? `a key of ${keyBytes} bytes`
        : flags !== 0
          ? `client flags, ${flags}`
          : undefined;
  if (found === undefined) return;
  const message = `LMDB holds keys of 1 to ${KEY_BYTES_MAX} bytes and no client flags, found ${found}: build a table`;
  throw new GoromdbError('FORMAT_UNSUPPORTED', message);
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw cannotWrite(
      path,
      isFull(path) ? Object.assign(new Error(messageOf(cause)), FULL) : cause,
    );
  }
}

/** LMDB says only that a write was too short. */
const FULL = { code: 'ENOSPC' } as const;

function isFull(path: string): boolean {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize < BATCH_BYTES;
}
