import { readU16, readU32, readU64 } from '../../scanners/bytes.ts';
import type { PageLink } from '../../scanners/linked-pages.ts';
import { FLAGS_AT, OVERFLOW_AT, PAGE_HEADER_BYTES } from './bolt-header.ts';
import { type BoltPages, PAGE_LEAF } from './bolt-pages.ts';

/** bbolt bucket.go, bucket: root page and sequence, before an inline page. */
const BUCKET_BYTES = 16;

/** What the value of a bucket element says. */
export interface BoltBucket {
  /** Root page. Without meaning for a bucket that is inline. */
  readonly root: number;
  /** A small bucket is a leaf page inside of the value, in place of pages of its own. */
  readonly inline: Buffer | undefined;
  /** Where the root, or the inline page, is. */
  readonly from: PageLink;
}

/**
 * Reads and checks the value of a bucket element, not the pages or elements of the bucket.
 *
 * @param shift bytes[i] is byte i + shift of the page.
 * @returns the bucket, with a copy of what is inline.
 */
export function readBoltBucket(
  pages: BoltPages,
  bytes: Buffer,
  start: number,
  end: number,
  page: number,
  shift: number,
): BoltBucket {
  const size = end - start;
  const from = { page, at: start + shift };
  const root = size < BUCKET_BYTES ? -1 : readU64(bytes, start);
  if (root > 0 && size === BUCKET_BYTES) {
    pages.check(root, 1, from);
    return { root, inline: undefined, from };
  }
  const leaf = start + BUCKET_BYTES;
  const isInline =
    root === 0 &&
    size >= BUCKET_BYTES + PAGE_HEADER_BYTES &&
    // bbolt bucket.go, Bucket.write: the page has no number and one kind.
    readU64(bytes, leaf) === 0 &&
    readU16(bytes, leaf + FLAGS_AT) === PAGE_LEAF &&
    readU32(bytes, leaf + OVERFLOW_AT) === 0;
  if (!isInline) {
    throw pages.corrupt(page, from.at, 'a bucket with a root page or an inline leaf page', [
      `${size} bytes, root ${root < 0 ? 'missing' : root}`,
    ]);
  }
  const inline = Buffer.from(bytes.subarray(leaf, end));
  return { root, inline, from: { page, at: leaf + shift } };
}
