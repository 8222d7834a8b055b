import { readBytes } from '../scanners/byte-source.ts';
import { FIRST_BYTES, type Format, firstBytesOf, type Hints } from '../scanners/format.ts';
import type { FieldOptions, ScanInput } from '../scanners/scanner.ts';
import { FORMATS } from './list.ts';

export type Packing = 'gzip' | 'zstd';

/** What a file is, as its first bytes say; undefined: none of these. */
export interface Recognised {
  readonly packing?: Packing;
  readonly format?: Format;
}

/** Looks at a file's first bytes. It verifies nothing: that is for the scanner to do. */
export function recognise(input: ScanInput, fields?: FieldOptions): Recognised {
  return recogniseHead(firstBytesOf(input), { path: input.path, fields });
}

/** As `recognise`. @param head See `Format.recognise`. */
export function recogniseHead(head: Buffer, hints: Hints): Recognised {
  const packing = packingOf(head);
  if (packing !== undefined) return { packing };
  const format = FORMATS.find((it) => it.recognise?.(head, hints));
  return format === undefined ? {} : { format };
}

/** RFC 1952 section 2.3.1, RFC 8878 section 3.1.1. */
export function packingOf(head: Buffer): Packing | undefined {
  const magic = head.toString('hex', 0, 4);
  if (magic.startsWith('1f8b')) return 'gzip';
  return magic === '28b52ffd' ? 'zstd' : undefined;
}

/**
 * The first FIRST_BYTES of what a gzip file decompresses to.
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
