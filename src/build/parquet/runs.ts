/** Widest number of a run in bits: a dictionary has less than 2^24 values. */
const WIDTH_MAX = 24;

/**
 * Reads numbers in the mix of runs and packed bits that Parquet calls RLE (Encodings.md). hyparquet's
 * reader believes a run of a billion numbers, and V8 ends the process then (2026-11-28).
 *
 * @param width Bits of a number.
 * @param target Gets as many numbers as it has room for.
 * @throws Error when they are not all there.
 */
export function readRuns(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: number,
  target: Uint8Array | Uint32Array,
): void {
  if (width > WIDTH_MAX)
    throw new Error(`expected numbers of at most ${WIDTH_MAX} bits, found ${width}`);
  if (width === 0) return;
  const valueBytes = (width + 7) >> 3;
  let at = start;
  for (let seen = 0; seen < target.length; ) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= end || shift > 28) throw new Error('expected a run of numbers, found none');
      header += (bytes[at] & 0x7f) * 2 ** shift;
      if (bytes[at++] < 0x80) break;
    }
    const count = Math.floor(header / 2);
    const left = target.length - seen;
    if (header % 2 === 1) {
      const found = Math.min(left, count * 8);
      unpackBits(bytes, at, end, width, target, seen, found);
      at += count * width;
      seen += found;
    } else {
      if (count > left)
        throw new Error(`expected a run of at most ${left} numbers, found ${count}`);
      if (at + valueBytes > end) throw new Error('expected the number of a run, found none');
      let value = 0;
      for (let i = 0; i < valueBytes; i++) value |= bytes[at++] << (8 * i);
      target.fill(value, seen, seen + count);
      seen += count;
    }
  }
}

function unpackBits(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: number,
  target: Uint8Array | Uint32Array,
  from: number,
  count: number,
): void {
  if (start + Math.ceil((count * width) / 8) > end) throw new Error('expected more packed numbers');
  const mask = 2 ** width - 1;
  let at = start;
  let held = 0;
  let bits = 0;
  for (let i = from; i < from + count; i++) {
    while (bits < width) {
      held |= bytes[at++] << bits;
      bits += 8;
    }
    target[i] = held & mask;
    held >>>= width;
    bits -= width;
  }
}
