import { readAt } from './page-file.ts';
import type { ScanInput } from './scanner.ts';

/** As many bytes as the magic numbers below lie in. */
const HEAD_BYTES = 64;

/** What a file is, as its first bytes say; undefined: none of these. */
export interface Recognised {
  /** How it is packed. */
  readonly packing?: 'gzip' | 'zstd';
  /** Name of a scanner. */
  readonly format?: 'json' | 'lmdb' | 'boltdb' | 'bdb';
}

/** Looks at a file's first bytes. It proves nothing: that is for the scanner to do. */
export function recognise(input: ScanInput): Recognised {
  const head = Buffer.alloc(HEAD_BYTES);
  const length = Math.min(HEAD_BYTES, input.size);
  readAt(input, head, 0, length, 0);
  const word = (at: number): number => head.readUInt32LE(at);
  // RFC 1952 section 2.3.1, RFC 8878 section 3.1.1.
  if (head.readUInt16BE(0) === 0x1f8b) return { packing: 'gzip' };
  if (word(0) === 0xfd2fb528) return { packing: 'zstd' };
  // LMDB: MDB_meta.mm_magic, behind a page header of 16 bytes (v1) or 24 (v2).
  if (word(16) === 0xbeefc0de || word(24) === 0xbeefc0de) return { format: 'lmdb' };
  // bbolt: meta.magic, behind a page header of 16 bytes.
  if (word(16) === 0xed0cdaed) return { format: 'boltdb' };
  // Berkeley DB: DBMETA.magic of a btree or hash file, in the byte order of its writer.
  if ([0x053162, 0x061561].some((magic) => magic === word(12) || magic === head.readUInt32BE(12))) {
    return { format: 'bdb' };
  }
  // RFC 8259 section 2: white space may come before the object; some editors put a BOM there.
  if (/^(?:\u00ef\u00bb\u00bf)?[ \t\r\n]*\{/.test(head.toString('latin1', 0, length))) {
    return { format: 'json' };
  }
  return {};
}
