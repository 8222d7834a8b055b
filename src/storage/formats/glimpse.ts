import { readBytes } from '../scanners/byte-source.ts';
import { FIRST_BYTES, firstBytesOf } from '../scanners/format.ts';
import { readAt } from '../scanners/page-file.ts';
import type { ScanInput } from '../scanners/scanner.ts';
import { type Glimpse, recogniseForeign, TAIL_BYTES } from './foreign.ts';
import { packingOf } from './recognise.ts';

/**
 * The first FIRST_BYTES of what a gzip file unpacks to.
 *
 * @throws GoromdbError DATA_CORRUPT when they cannot be unpacked.
 */
export async function packedHeadOf(input: ScanInput): Promise<Buffer> {
  const head = Buffer.alloc(FIRST_BYTES);
  let bytes = 0;
  for await (const chunk of readBytes(input, { gzipped: true, chunkBytes: FIRST_BYTES })) {
    head.set(chunk.subarray(0, FIRST_BYTES - bytes), bytes);
    bytes += Math.min(chunk.length, FIRST_BYTES - bytes);
    if (bytes === FIRST_BYTES) break;
  }
  return head.subarray(0, bytes);
}

/**
 * What a refused file looks like and what to do, to be put behind a message; or nothing.
 *
 * @param gzipped Whether it was unpacked from gzip as it was read.
 */
export async function likeness(input: ScanInput, gzipped: boolean): Promise<string> {
  try {
    const foreign = recogniseForeign(await glimpse(input, gzipped));
    return foreign === undefined ? '' : `; it looks like ${foreign.name}: ${foreign.advice}`;
  } catch {
    // The first error tells more than that the file cannot be looked at again.
    return '';
  }
}

async function glimpse(input: ScanInput, gzipped: boolean): Promise<Glimpse> {
  const head = firstBytesOf(input);
  if (gzipped && packingOf(head) === 'gzip') return { head: await packedHeadOf(input) };
  const { size } = input;
  const tail = Buffer.alloc(Math.min(TAIL_BYTES, size));
  readAt(input, tail, 0, tail.length, size - tail.length);
  return { head, tail, size };
}
