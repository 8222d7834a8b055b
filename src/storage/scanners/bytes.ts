/**
 * Orders keys as memcmp does, then by length: so does Go (bytes.Compare). A loop, as keys differ after
 * a few bytes and a call of Buffer.compare costs more than that.
 */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const aBytes = aEnd - aStart;
  const bBytes = bEnd - bStart;
  const shared = Math.min(aBytes, bBytes);
  for (let i = 0; i < shared; i++) {
    const difference = a[aStart + i] - b[bStart + i];
    if (difference !== 0) return difference;
  }
  return aBytes - bBytes;
}

/** Whether two keys are the same. From the end, as neighbours in a tree begin alike. */
export function equalBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = aEnd - aStart - 1; i >= 0; i--) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/**
 * Reads an unsigned 64-bit number, little-endian. Over 2^53 it loses digits, but stays over any
 * page count.
 */
export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
}

/** Reads an unsigned 16-bit number, little-endian. */
export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

/** Reads an unsigned 32-bit number, little-endian. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}
