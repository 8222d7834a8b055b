/** Bytes that `copyWords` may read and write behind the end. */
export const WORDS_SLACK_BYTES = 7;

/** Up to this length `copyWords` is the fastest way. */
export const WORDS_BYTES_MAX = 384;

/**
 * Copies source[start, end) to target[at…], eight bytes at a time, which goes up to
 * {@link WORDS_SLACK_BYTES} beyond the end on both sides.
 *
 * Nothing is made for it, as `set` needs a view of the source, and a loop over bytes takes one step
 * for each. In ns for 24, 125, 256 and 512 bytes on Node 20: loop 124, 534, 1062, 2047;
 * `set(subarray)` 219, 213, 216, 196; this 24, 59, 113, 180. Node 22, 24 and 26, and shared
 * memory, gave the same order (2026-11-21). (Two 32-bit integers and not one 64-bit float, which may
 * lose bits of what is no number, or one BigInt, which Node 20 and 22 allocate.)
 */
export function copyWords(
  target: DataView,
  at: number,
  source: DataView,
  start: number,
  end: number,
): void {
  for (let from = start, to = at; from < end; from += 8, to += 8) {
    target.setInt32(to, source.getInt32(from, true), true);
    target.setInt32(to + 4, source.getInt32(from + 4, true), true);
  }
}

/** Whether a[aStart, aStart + length) and b[bStart, bStart + length) are the same bytes. */
export function equalWords(
  a: DataView,
  aStart: number,
  b: DataView,
  bStart: number,
  length: number,
): boolean {
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    if (a.getInt32(aStart + i, true) !== b.getInt32(bStart + i, true)) return false;
  }
  for (; i < length; i++) {
    if (a.getUint8(aStart + i) !== b.getUint8(bStart + i)) return false;
  }
  return true;
}

/** A view of the same bytes as a buffer. */
export function viewOf(buffer: Uint8Array): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}
