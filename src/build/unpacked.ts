/** Decompresses what comes from standard input, which cannot be read twice. */
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { noZstd } from '../loader/worker/unpack.ts';
import { packingOf } from '../storage/formats/recognise.ts';
import type { Chunks } from './rows/text.ts';

/** Most bytes that it may decompress to (64 GiB). */
const UNPACKED_BYTES_MAX = 64 * 1024 * 1024 * 1024;

/** Enough to recognise gzip and zstd. */
const HEAD_BYTES = 4;

/** Newer than the types of the oldest Node that is supported: 22.15, 23.8. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };

/**
 * The bytes as they are, or decompressed when they are gzip or zstd.
 *
 * @throws GoromdbError DATA_CORRUPT, FORMAT_UNSUPPORTED, LIMIT_EXCEEDED.
 */
export async function* unpackedChunks(path: string, chunks: Chunks): Chunks {
  const iterator = chunks[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < HEAD_BYTES) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  const all = (async function* (): Chunks {
    yield head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  })();
  const packing = packingOf(head);
  if (packing === undefined) yield* all;
  else if (packing === 'gzip') yield* through(path, packing, all, zlib.createGunzip());
  else if (createZstdDecompress === undefined) throw noZstd(path);
  else yield* through(path, packing, all, createZstdDecompress());
}

async function* through(path: string, packing: string, chunks: Chunks, unpack: Transform): Chunks {
  let bytes = 0;
  const feeding = pipeline(Readable.from(chunks, { objectMode: false }), unpack);
  // Whoever reads hears of it.
  feeding.catch(() => {});
  try {
    for await (const chunk of unpack as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > UNPACKED_BYTES_MAX) {
        const message = `${path} decompresses to more than ${UNPACKED_BYTES_MAX} bytes`;
        throw new GoromdbError('LIMIT_EXCEEDED', message);
      }
      yield chunk;
    }
    await feeding;
  } catch (cause) {
    if (cause instanceof GoromdbError) throw cause;
    const message = `${path}: the ${packing} data is damaged after ${bytes} decompressed bytes: ${messageOf(cause)}`;
    throw new GoromdbError('DATA_CORRUPT', message, { cause });
  } finally {
    unpack.destroy();
  }
}
