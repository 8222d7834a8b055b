/** Reads a table's file without mapping it: its head, and its checksums. */
import { closeSync, constants, fstatSync, openSync, read, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { GoromdbError } from '../../common/errors.ts';
import { HEAD_BYTES, type Region, readHead, type TableLayout } from './table-layout.ts';

/** Bytes of one read, a third of a millisecond of work (2026-11-28). */
const READ_BYTES = 1024 * 1024;

const readInto = promisify(read);

/** Opens a file to read it. @throws What the file system throws. */
export function openToRead(path: string): number {
  // A FIFO in its place must not block.
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

/**
 * Reads the head of a table's file and verifies it.
 *
 * @throws GoromdbError DATA_CORRUPT; what the file system throws.
 */
export function readTableFile(path: string): {
  readonly layout: TableLayout;
  readonly head: Buffer;
} {
  const fd = openToRead(path);
  try {
    return readTableHead(path, fd);
  } finally {
    closeSync(fd);
  }
}

/** As `readTableFile`, of a file that is open. */
export function readTableHead(
  path: string,
  fd: number,
): { readonly layout: TableLayout; readonly head: Buffer } {
  const head = Buffer.allocUnsafeSlow(HEAD_BYTES);
  const length = readAt(fd, head, HEAD_BYTES, 0);
  const layout = readHead(head.subarray(0, length), fstatSync(fd).size);
  if (typeof layout === 'string') {
    throw new GoromdbError('DATA_CORRUPT', `${path} is not a table of this version: ${layout}`);
  }
  return { layout, head };
}

/** Reads all of a table into memory that threads share. */
export function readTableMemory(path: string, layout: TableLayout): readonly SharedArrayBuffer[] {
  const fd = openToRead(path);
  try {
    return [...layout.segments, layout.index].map(({ at, bytes }) => {
      const memory = new SharedArrayBuffer(bytes);
      readAt(fd, Buffer.from(memory), bytes, at);
      return memory;
    });
  } finally {
    closeSync(fd);
  }
}

/**
 * Whether a region has the CRC-32 that the description says.
 *
 * @param pause Awaited after each piece, with its size.
 */
export async function isSoundRegion(
  fd: number,
  { at, bytes, crc32: expected }: Region,
  pause: (bytes: number) => Promise<void> = () => nextTurn(),
  pieceBytes: number = READ_BYTES,
): Promise<boolean> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(bytes, pieceBytes));
  let sum = 0;
  for (let done = 0; done < bytes; ) {
    const length = Math.min(buffer.length, bytes - done);
    const { bytesRead } = await readInto(fd, buffer, 0, length, at + done);
    if (bytesRead === 0) return false;
    sum = crc32(buffer.subarray(0, bytesRead), sum);
    done += bytesRead;
    await pause(bytesRead);
  }
  return sum === expected;
}

/** @returns How many bytes there were, up to as many as were asked for. */
export function readAt(fd: number, target: Buffer, bytes: number, position: number): number {
  let done = 0;
  while (done < bytes) {
    const count = readSync(fd, target, done, bytes - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
