import { closeSync, fstatSync, openSync } from 'node:fs';
import { GoromdbError } from '../common/errors.ts';
import { printable } from '../storage/scanners/name-list.ts';
import type { ScanInput } from '../storage/scanners/scanner.ts';
import { readTableHead } from '../storage/table/table-file.ts';
import { TableSearch } from '../storage/table/table-search.ts';
import type { InputPlaces } from './input-places.ts';
import { readTable } from './read-back.ts';

/**
 * Refuses a table that has records of one key with different values, or flags.
 *
 * @param path Of the table, with all records that were added to it.
 * @throws GoromdbError DATA_CORRUPT, with the key and the places of two of its values.
 */
export async function expectOneValue(path: string, places: InputPlaces): Promise<void> {
  const key = await keyOfSeveral(path);
  if (key === undefined) return;
  const [first, other] = await numbersOf(path, key);
  const message = `key ${printable(key.toString())}: expected one value, found one ${places.describe(first)} and another ${places.describe(other)}`;
  throw new GoromdbError('DATA_CORRUPT', message);
}

/** Compares each record with the last one of its key, which is the one that a search finds. */
async function keyOfSeveral(path: string): Promise<Buffer | undefined> {
  const fd = openSync(path, 'r');
  let found: Buffer | undefined;
  try {
    const input: ScanInput = { path, fd, size: fstatSync(fd).size };
    const last = new TableSearch(input, readTableHead(path, fd).layout, true);
    await readTable(path, () => found === undefined, {
      add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags) {
        last.find(key, keyStart, keyEnd);
        const { bytes, record } = last;
        const order = bytes.compare(
          value,
          valueStart,
          valueEnd,
          record.valueStart,
          record.valueEnd,
        );
        if (order !== 0 || flags !== record.flags)
          found = Buffer.from(key.subarray(keyStart, keyEnd));
      },
    });
    return found;
  } finally {
    closeSync(fd);
  }
}

/** The numbers of the first record with a key, and of the first one that has another value. */
async function numbersOf(path: string, wanted: Buffer): Promise<readonly number[]> {
  const numbers: number[] = [];
  let number = -1;
  let first: { readonly value: Buffer; readonly flags: number } | undefined;
  const isOpen = (record: number): boolean => {
    number = record;
    return numbers.length < 2;
  };
  await readTable(path, isOpen, {
    add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags) {
      if (wanted.compare(key, keyStart, keyEnd) !== 0) return;
      const own = value.subarray(valueStart, valueEnd);
      if (first?.flags === flags && first.value.equals(own)) return;
      first ??= { value: Buffer.from(own), flags };
      numbers.push(number);
    },
  });
  return numbers;
}
