import { read } from 'node:fs';
import { promisify } from 'node:util';
import { createGunzip, type Gunzip } from 'node:zlib';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import type { ScanInput } from './scanner.ts';

/**
 * Most bytes a gzip file may decompress to (64 GiB). Memory is bounded by streaming; this bounds the
 * time, because deflate can pack 1032 bytes of text into one.
 */
const GUNZIP_BYTES_MAX = 64 * 1024 * 1024 * 1024;

const CHUNK_BYTES = 1024 * 1024;

/** zlib says only in which piece of its input the fault lies, so small pieces make exact errors. */
const GUNZIP_INPUT_BYTES = 64 * 1024;

const readAt = promisify(read);

export interface ByteSourceOptions {
  /** The file is wrapped in gzip: yield what it decompresses to. */
  readonly gzipped: boolean;
  /** Called after each chunk with how many bytes of the file, not of the text, are done. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** Longest chunk in bytes. */
  readonly chunkBytes?: number | undefined;
  /** Most bytes to decompress from gzip. */
  readonly gunzipBytesMax?: number | undefined;
}

/**
 * The bytes of a file in order, decompressed when they are gzip. Memory does not depend on the size of
 * the file: a chunk is lent until the next one is asked for.
 *
 * @throws {GoromdbError} FORMAT_UNKNOWN when `gzipped` and the file's first bytes disagree;
 *   DATA_CORRUPT when the file is shorter than it was, or the gzip data ends too early, is damaged or
 *   followed by something else; LIMIT_EXCEEDED; FILE_UNREADABLE when the disk fails.
 */
export async function* readBytes(
  input: ScanInput,
  options: ByteSourceOptions,
): AsyncGenerator<Uint8Array, void, void> {
  await checkMagic(input, options.gzipped);
  if (options.gzipped) {
    yield* readGzip(input, options);
    return;
  }
  let done = 0;
  for await (const chunk of readRange(input, 0, options.chunkBytes ?? CHUNK_BYTES)) {
    yield chunk;
    done += chunk.length;
    options.onProgress?.(done);
  }
}

/** RFC 1952 section 2.3.1: a gzip member begins with 1f 8b. No text format here can. */
async function checkMagic(input: ScanInput, gzipped: boolean): Promise<void> {
  const head = Buffer.alloc(Math.min(4, input.size));
  await fill(input, head, 0);
  const isGzip = head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b;
  if (isGzip === gzipped) return;
  if (isGzip) {
    throw new GoromdbError(
      'FORMAT_UNKNOWN',
      `${input.path}: expected an uncompressed file, found gzip (1f 8b): add -gzipped`,
    );
  }
  const found =
    head.length === 0
      ? 'the file is empty'
      : `the file begins with ${head.toString('hex').replace(/..(?=.)/g, '$& ')}`;
  throw new GoromdbError(
    'FORMAT_UNKNOWN',
    `${input.path}: -gzipped was given but this is not a gzip file: expected 1f 8b at byte 0, ${found}`,
  );
}

/** Reads from `start` to the size the file had when it was opened. */
async function* readRange(
  input: ScanInput,
  start: number,
  chunkBytes: number,
): AsyncGenerator<Buffer, void, void> {
  const bytes = Math.max(1, Math.min(chunkBytes, input.size - start));
  let current = Buffer.allocUnsafeSlow(bytes);
  let spare = Buffer.allocUnsafeSlow(bytes);
  const fetch = (buffer: Buffer, from: number): Promise<Buffer> =>
    fill(input, buffer.subarray(0, Math.min(bytes, input.size - from)), from);

  let position = start;
  let coming = fetch(current, position);
  try {
    while (position < input.size) {
      const chunk = await coming;
      position += chunk.length;
      // The disk fills one buffer while the caller reads the other.
      coming = fetch(spare, position);
      [current, spare] = [spare, current];
      yield chunk;
    }
  } finally {
    // The caller closes the descriptor after us, so no read may still be in flight.
    await coming.catch(() => undefined);
  }
}

/** Fills all of `buffer` from the file at `position`. */
async function fill(input: ScanInput, buffer: Buffer, position: number): Promise<Buffer> {
  let filled = 0;
  while (filled < buffer.length) {
    const at = position + filled;
    const bytesRead = await readAt(input.fd, buffer, filled, buffer.length - filled, at).then(
      (result) => result.bytesRead,
      (cause: unknown) => {
        const message = `${input.path}: cannot read at byte ${at}: ${messageOf(cause)}`;
        throw new GoromdbError('FILE_UNREADABLE', message, { cause });
      },
    );
    if (bytesRead === 0) {
      throw new GoromdbError(
        'DATA_CORRUPT',
        `${input.path}: expected ${input.size} bytes as when it was opened, found the end at byte ${at}`,
      );
    }
    filled += bytesRead;
  }
  return buffer;
}

/** How much of the file zlib was handed. */
interface Feed {
  bytes: number;
}

async function* readGzip(
  input: ScanInput,
  options: ByteSourceOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const bytesMax = options.gunzipBytesMax ?? GUNZIP_BYTES_MAX;
  // zlib refuses an output buffer below 64 bytes; what it yields is cut to size below.
  const chunkBytes = options.chunkBytes ?? CHUNK_BYTES;
  const gunzip = createGunzip({ chunkSize: Math.max(64, chunkBytes) });
  const feed: Feed = { bytes: 0 };
  const feeding = feedGunzip(gunzip, input, feed);
  let decompressed = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      decompressed += chunk.length;
      if (decompressed > bytesMax) {
        throw new GoromdbError(
          'LIMIT_EXCEEDED',
          `${input.path}: expected at most ${bytesMax} decompressed bytes, found more`,
        );
      }
      for (let at = 0; at < chunk.length; at += chunkBytes) {
        yield chunk.subarray(at, at + chunkBytes);
      }
      options.onProgress?.(gunzip.bytesWritten);
    }
  } catch (error) {
    throw gunzipError(error, input, gunzip.bytesWritten, feed.bytes);
  } finally {
    gunzip.destroy();
    await feeding;
  }
  await checkPadding(input, gunzip.bytesWritten);
  options.onProgress?.(input.size);
}

/** Hands the file to zlib piece by piece. Never rejects: what fails is thrown by the reading end. */
async function feedGunzip(gunzip: Gunzip, input: ScanInput, feed: Feed): Promise<void> {
  // zlib drops the callback of a write in which it met the end of its data, so the stream's close
  // has to end that wait too.
  let wake = (): void => undefined;
  gunzip.once('close', () => wake());
  try {
    for await (const piece of readRange(input, 0, GUNZIP_INPUT_BYTES)) {
      feed.bytes += piece.length;
      await new Promise<void>((resolve) => {
        wake = resolve;
        gunzip.write(piece, () => resolve());
      });
      if (gunzip.destroyed || gunzip.readableEnded) return;
    }
    gunzip.end();
  } catch (error) {
    gunzip.destroy(error as Error);
  }
}

/** Makes zlib's error one that names the place; leaves errors alone that are not zlib's. */
function gunzipError(error: unknown, input: ScanInput, from: number, to: number): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (!code.startsWith('Z_') || code === 'Z_MEM_ERROR') return error;
  const message =
    code === 'Z_BUF_ERROR'
      ? `expected the end of a gzip member, found the end of the file at byte ${input.size}`
      : `bad gzip data between byte ${from} and byte ${to} of the file: ${explain(messageOf(error))}`;
  return new GoromdbError('DATA_CORRUPT', `${input.path}: ${message}`, { cause: error });
}

function explain(zlibMessage: string): string {
  switch (zlibMessage) {
    case 'incorrect data check':
      return 'the decompressed bytes do not match their CRC-32';
    case 'incorrect length check':
      return 'the decompressed bytes do not match their stated length';
    case 'incorrect header check':
      return 'expected another gzip member, zero padding or the end of the file';
    default:
      return zlibMessage;
  }
}

/** zlib stops at a zero after the last member, as tapes pad with zeros. Nothing may hide in them. */
async function checkPadding(input: ScanInput, start: number): Promise<void> {
  let position = start;
  for await (const chunk of readRange(input, start, CHUNK_BYTES)) {
    const garbage = chunk.findIndex((byte) => byte !== 0);
    if (garbage !== -1) {
      const found = chunk[garbage].toString(16).padStart(2, '0');
      throw new GoromdbError(
        'DATA_CORRUPT',
        `${input.path}: expected zero padding after the gzip data, found ${found} at byte ${position + garbage}`,
      );
    }
    position += chunk.length;
  }
}
