import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { READ_BYTES } from '../common/md5.ts';
import { SHARD_HASHES, SHARD_NAME, SHARDS_MAX, type ShardHash } from '../shards/shards.ts';
import type { SlotRange } from '../shards/slots.ts';
import { openInput } from './inputs.ts';

/** Its name, beside the files that it is about. */
export const MANIFEST = 'manifest.json';

/** Longest manifest that is read: some 300 bytes for each shard. */
const MANIFEST_BYTES_MAX = 1024 * 1024;

const FORMAT = 'goromdb-shards-1';

/** One shard's file. */
export interface ManifestShard {
  readonly name: string;
  readonly idx: number;
  /** With the hash `slots`: which keys it has. */
  readonly slots?: SlotRange | undefined;
  /** The name of the file, beside the manifest. */
  readonly file: string;
  readonly sha256: string;
  readonly md5: string;
  readonly bytes: number;
  readonly keys: number;
}

/** What a data set was split into. */
export interface Manifest {
  readonly format: typeof FORMAT;
  /** The name of the data set. */
  readonly set: string;
  /** The same for the same content, and for no other. */
  readonly version: string;
  readonly hash: ShardHash;
  /** In the order of `idx`. */
  readonly shards: readonly ManifestShard[];
  readonly totals: { readonly keys: number; readonly bytes: number };
  /** The version whose shards were split; null: it was made of other files. */
  readonly parent: string | null;
}

/** The name of a shard's file. */
export function fileOf({ name }: Pick<ManifestShard, 'name'>): string {
  return `${name}.db`;
}

export function manifestOf(parts: Pick<Manifest, 'set' | 'hash' | 'shards' | 'parent'>): Manifest {
  const { set, hash, shards, parent } = parts;
  const sums = shards.map(({ idx, slots, sha256 }) => [idx, slots, sha256]);
  const version = createHash('sha256')
    .update(JSON.stringify([hash, sums]))
    .digest('hex');
  const sum = (of: 'keys' | 'bytes'): number => shards.reduce((all, one) => all + one[of], 0);
  const totals = { keys: sum('keys'), bytes: sum('bytes') };
  return { format: FORMAT, set, version: version.slice(0, 16), hash, shards, totals, parent };
}

/** The SHA-256 of a file. @throws GoromdbError FILE_UNREADABLE. */
export function sha256Of(path: string): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const fd = openInput(path);
  try {
    for (;;) {
      const length = readSync(fd, buffer);
      if (length === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, length));
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads the manifest of a folder, as others may have written it.
 *
 * @throws GoromdbError FILE_UNREADABLE, DATA_CORRUPT.
 */
export function readManifest(folder: string): Manifest {
  const path = join(folder, MANIFEST);
  const text = textOf(path);
  try {
    const found = JSON.parse(text) as Manifest;
    if (isManifest(found)) return found;
  } catch {
    // It is said below.
  }
  throw new GoromdbError('DATA_CORRUPT', `${path}: expected a manifest of format ${FORMAT}`);
}

function textOf(path: string): string {
  let fd: number | undefined;
  try {
    fd = openInput(path);
    const { size } = fstatSync(fd);
    if (size > MANIFEST_BYTES_MAX) {
      throw new Error(`${path}: expected at most ${MANIFEST_BYTES_MAX} bytes, found ${size}`);
    }
    return readFileSync(fd, 'utf8');
  } catch (cause) {
    const message = `${messageOf(cause)}: expected what goromdb split has written`;
    throw new GoromdbError('FILE_UNREADABLE', message, { cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function isManifest(found: Manifest): boolean {
  const { format, hash, shards, set, version, parent } = found;
  const isText = [set, version, parent ?? ''].every((text) => typeof text === 'string');
  if (format !== FORMAT || !isText || !SHARD_HASHES.includes(hash)) return false;
  if (!Array.isArray(shards) || shards.length === 0 || shards.length > SHARDS_MAX) return false;
  return shards.every(isShard) && manifestOf(found).version === version;
}

function isShard({ name, idx, file, sha256, keys, bytes }: ManifestShard, i: number): boolean {
  const isNamed = typeof name === 'string' && SHARD_NAME.test(name);
  // A file beside the manifest, and nowhere else: what may name a shard has no slash.
  const isBeside = isNamed && file === fileOf({ name });
  const isSummed = typeof sha256 === 'string' && /^[\da-f]{64}$/.test(sha256);
  const isCounted = [keys, bytes].every((count) => Number.isSafeInteger(count) && count >= 0);
  return idx === i && isBeside && isSummed && isCounted;
}
