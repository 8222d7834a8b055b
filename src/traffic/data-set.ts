/** Keys of the generated data set have eight digits. */
export const GENERATED_KEYS_MAX = 99_999_999;

/** memcached takes no item above this by default. */
export const GENERATED_VALUE_BYTES_MAX = 1024 * 1024;

const DIGITS = 8;

/** The data set that a benchmark makes by itself, so that each value can be checked by its key. */
export interface GeneratedData {
  readonly keys: number;
  readonly valueBytes: number;
}

/** Key number `id`, 12 bytes long, such as `key:00000042`. */
export function generatedKey(id: number): string {
  return `key:${String(id).padStart(DIGITS, '0')}`;
}

/** A key that looks the same and is in no generated data set. */
export function missingKey(id: number): string {
  return `nil:${String(id).padStart(DIGITS, '0')}`;
}

/**
 * The value of a generated key: its digits, then letters up to the length; a shorter one is cut.
 *
 * @returns undefined when the key is none that `generatedKey` makes.
 */
export function generatedValue(key: string, valueBytes: number): string | undefined {
  if (!/^key:\d{8}$/.test(key)) return undefined;
  return key.slice(4, 4 + valueBytes).padEnd(valueBytes, 'abcdefghijklmnopqrstuvwxyz');
}
