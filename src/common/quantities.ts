/** Quantities as people read them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** A number of bytes as people read it: `118 MB`. Units are powers of 1000. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? value.toFixed(0) : value.toPrecision(2)} ${UNITS[unit]}`;
}

/** Says how much room is missing, in a figure of its own: the others may round to the same. */
export function lackOf(what: string, neededBytes: number, freeBytes: number): string {
  const [needed, free] = [neededBytes, freeBytes].map(formatBytes);
  return `expected ${needed} of ${what}, found ${free}, which is ${formatBytes(neededBytes - freeBytes)} too little`;
}

/** A number of keys, with separators: `1 key`, `1,000,000 keys`. */
export function keysOf(count: number): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? 'key' : 'keys'}`;
}
