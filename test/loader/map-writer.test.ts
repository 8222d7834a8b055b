import { closeSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MapWriter } from '../../src/loader/map-writer.ts';
import { openMap } from '../../src/storage/mapped.ts';
import { temporaryFolder } from '../support/folder.ts';
import { seededRandom } from '../support/random.ts';
import { infoOf } from '../support/storages.ts';

/** More than two transactions' worth. */
const RECORDS = 120_000;

function keyOf(number: number): Buffer {
  return Buffer.from(`key-${String(number).padStart(9, '0')}`);
}

/** Writes records with these keys; the value is the place that the record came in. */
async function write(numbers: readonly number[]): Promise<{ path: string; keys: number }> {
  const folder = temporaryFolder();
  const path = join(folder, 'map.mdb');
  let scratch: number | undefined;
  const openScratch = (): number => {
    scratch = openSync(join(folder, 'scratch'), 'w+');
    return scratch;
  };
  const writer = await MapWriter.create(path, openScratch, () => {});
  numbers.forEach((number, place) => {
    const key = keyOf(number);
    const value = Buffer.from(String(place).padStart(20, '0'));
    writer.add(key, 0, key.length, value, 0, value.length, 0);
  });
  const keys = await writer.finish();
  if (scratch !== undefined) closeSync(scratch);
  return { path, keys };
}

const ASCENDING = Array.from({ length: RECORDS }, (_, i) => i);

/** One of so many numbers, or all others. */
function lateOnes(every: number, isLate: boolean): number[] {
  return ASCENDING.filter((number) => (number % every === 0) === isLate);
}

function shuffled(numbers: readonly number[]): number[] {
  const random = seededRandom(7);
  const copy = [...numbers];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}

describe('a map of records that come in another order than that of their keys', () => {
  // With pages that were split it is up to twice as large. Room in the file that was given back is not
  // used by the transaction that comes next, which counts for more here than in a large file.
  test.each([
    ['in none', shuffled(ASCENDING), 1.05],
    ['as two parts in order', [...lateOnes(2, false), ...lateOnes(2, true)], 1.15],
    ['with one in a hundred late', [...lateOnes(100, false), ...lateOnes(100, true)], 1.45],
    ['with one late', [...ASCENDING.slice(1), 0], 1.05],
  ])('is about as small as of records in order: %s', async (_, numbers, ratioMax) => {
    const { path, keys } = await write(numbers);
    expect(keys).toBe(RECORDS);
    const inOrder = await write(ASCENDING);
    expect(statSync(path).size / statSync(inOrder.path).size).toBeLessThan(ratioMax);
  });

  test.each([
    ['at once', 1_000],
    ['when many of them are in the tree already', RECORDS],
  ])('has the last of equal keys: %s', async (_, records) => {
    const numbers = ASCENDING.slice(0, records);
    const late = shuffled(numbers).slice(0, records / 2);
    const { path, keys } = await write([...numbers, ...late]);
    expect(keys).toBe(records);
    const map = await openMap({ path, layout: 'own', keys, bytes: 0 }, infoOf(keys, 0));
    const places = new Map(numbers.map((number, place) => [number, place]));
    late.forEach((number, i) => void places.set(number, records + i));
    for (const [number, place] of places) {
      const key = keyOf(number);
      const { buffer, valueStart, valueEnd } = map.get(key, 0, key.length)!;
      if (Number(buffer.toString('latin1', valueStart, valueEnd)) !== place) {
        expect.unreachable(`key ${number} has the value of another record`);
      }
    }
    map.close();
  });
});
