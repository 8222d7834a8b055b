import { createHash } from 'node:crypto';
import { link } from 'node:fs/promises';
import { join } from 'node:path';
import { GoromdbError } from '../../common/errors.ts';
import { openNew, piecesOf } from '../../common/files.ts';
import type { OpenFile, OpenSlot, SlotFile } from './open-slot.ts';
import { DATA_NAME, TABLE_NAME } from './slot-table.ts';

/** Bytes of one read: a copy can be stopped between two. */
const COPY_BYTES = 1024 * 1024;

/** The sums of a file, in lower-case hex, of the bytes that were read. */
export interface Sums {
  readonly md5: string;
  readonly sha256: string;
}

/** Whether a slot's table is the dropped file itself, under a second name. */
function isShared({ files }: OpenSlot): boolean {
  const { dev, ino } = files.get(TABLE_NAME)!.identity;
  const data = files.get(DATA_NAME)!.identity;
  return data.dev === dev && data.ino === ino;
}

/**
 * Copies a file and flushes the copy, which has no more permissions.
 *
 * @throws GoromdbError LOADER_FAILED when the signal aborts it, which leaves a part; what the file
 *   system throws.
 */
export async function copySummed(
  file: OpenFile,
  target: string,
  signal: AbortSignal,
): Promise<Sums> {
  const { mode } = await file.handle.stat();
  const to = await openNew(target, (mode & 0o666) | 0o600);
  try {
    const sums = await sumsOf(file, signal, (piece) => to.writeFile(piece));
    await to.sync();
    return sums;
  } finally {
    await to.close();
  }
}

/**
 * Reads a file from its beginning to its end, once.
 *
 * @param onPiece Called with each piece, which is valid until the promise is fulfilled.
 * @throws GoromdbError as `copySummed`.
 */
export async function sumsOf(
  { path, handle, identity }: OpenFile,
  signal: AbortSignal,
  onPiece?: (piece: Buffer) => Promise<void>,
): Promise<Sums> {
  const md5 = createHash('md5');
  const sha256 = createHash('sha256');
  let bytes = 0n;
  for await (const piece of piecesOf(handle, COPY_BYTES)) {
    if (signal.aborted) throw new GoromdbError('LOADER_FAILED', 'it was interrupted');
    md5.update(piece);
    sha256.update(piece);
    await onPiece?.(piece);
    bytes += BigInt(piece.length);
  }
  if (bytes !== identity.size) {
    const message = `${path}: expected ${identity.size} bytes, found ${bytes}: another program has written to it`;
    throw new GoromdbError('FILE_CHANGED', message);
  }
  return { md5: md5.digest('hex'), sha256: sha256.digest('hex') };
}

/** Copies the files of a slot to a folder. A file with two names has two names there, if it can be. */
export async function copySlot(
  slot: OpenSlot,
  folder: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<SlotFile, Sums>> {
  const sums = new Map<SlotFile, Sums>();
  for (const [name, file] of slot.files) {
    const target = join(folder, name);
    const isSecond = name === DATA_NAME && isShared(slot);
    const isLinked = isSecond && (await linkTo(join(folder, TABLE_NAME), target));
    sums.set(name, isLinked ? sums.get(TABLE_NAME)! : await copySummed(file, target, signal));
  }
  return sums;
}

function linkTo(path: string, name: string): Promise<boolean> {
  return link(path, name).then(
    () => true,
    () => false,
  );
}
