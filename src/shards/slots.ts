/** Slots of a Redis Cluster (Redis Cluster specification, "Key distribution model"). */
export const SLOTS = 16_384;

const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Slots that follow on each other. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
}

/** CRC-16 of XMODEM: polynomial 0x1021, begins with 0 (the same specification, appendix A). */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc;
});

/** The slot of key[start, end): that of its first `{tag}`, when it has one that is not empty. */
export function slotOf(key: Uint8Array, start: number, end: number): number {
  let first = start;
  let last = end;
  for (let at = start; at < end; at++) {
    if (key[at] !== OPEN) continue;
    let close = at + 1;
    while (close < end && key[close] !== CLOSE) close++;
    if (close < end && close > at + 1) {
      first = at + 1;
      last = close;
    }
    break;
  }
  let crc = 0;
  for (let at = first; at < last; at++) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ key[at]];
  return crc & (SLOTS - 1);
}

/**
 * The slots of shard `idx` of `count`, a power of two: the range whose number is `idx` with its bits
 * reversed. So twice as many shards split each shard i into i and i + count, and no other key moves.
 */
export function slotsOf(idx: number, count: number): SlotRange {
  let range = 0;
  for (let bit = 1, left = idx; bit < count; bit *= 2, left >>= 1) range = range * 2 + (left & 1);
  const size = SLOTS / count;
  return { first: range * size, last: (range + 1) * size - 1 };
}
