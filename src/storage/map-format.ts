/**
 * How records lie in a map that the loader wrote: an LMDB file of data format 2 with two named
 * databases. LMDB's keys have 1 to 1978 bytes here, ours may be empty and have up to 65,535, so:
 *
 *     records: <key>                    → head | value
 *     others:  'k' SHA-256(key)         → head | u32 key length | key | value
 *              'p' SHA-256(key) u32 BE  → a part of a long value
 *
 *     head:    u8 kind (0: the value follows; 1: its length follows, it lies in parts) | u32 flags
 *
 * Numbers are little-endian but for that of a part, which has parts in order. Keys of records whose
 * length LMDB cannot have lie in `others`, where the whole key is compared.
 */
import { createHash } from 'node:crypto';

export const RECORDS_NAME = 'records';
export const OTHERS_NAME = 'others';

/** Longest key of LMDB with pages of 4 KiB: ENV_MAXKEY in its mdb.c for data format 2. */
export const MAP_KEY_BYTES_MAX = 1978;

/** Bytes of `head`. */
export const HEAD_BYTES = 5;
export const KIND_INLINE = 0;
export const KIND_PARTS = 1;

/** Bytes of a part, but the last one. From 16 MiB on the package `lmdb` lends its map's memory. */
export const PART_BYTES = 8 * 1024 * 1024;

const KEY_PREFIX = Buffer.from('k');
const PART_PREFIX = Buffer.from('p');

/** Whether LMDB can have a key of this length. */
export function fitsMap(keyBytes: number): boolean {
  return keyBytes > 0 && keyBytes <= MAP_KEY_BYTES_MAX;
}

/** The key in `others` of a record whose own key does not fit. */
export function otherKey(key: Uint8Array): Buffer {
  return Buffer.concat([KEY_PREFIX, createHash('sha256').update(key).digest()]);
}

/** The key in `others` that all parts of a value have but for the number at its end. */
export function partKey(key: Uint8Array): Buffer {
  return Buffer.concat([PART_PREFIX, createHash('sha256').update(key).digest(), Buffer.alloc(4)]);
}

/** Sets the number of a part, counted from 0, in what `partKey` gave. */
export function setPartNumber(key: Buffer, number: number): void {
  key.writeUInt32BE(number, key.length - 4);
}
