import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GoromdbError, isBadFile } from '../../../src/common/errors.ts';
import { tableScanner } from '../../../src/storage/formats/table.ts';
import { openTable } from '../../../src/storage/table/table.ts';
import { HEAD_BYTES, type TableLayout } from '../../../src/storage/table/table-layout.ts';
import { collidingKeys } from '../../support/colliding-keys.ts';
import { FIRST_SEED, MUTANTS, mutate, tryMutants } from '../../support/mutants.ts';
import { Random } from '../../support/random-bytes.ts';
import { ScratchFile } from '../../support/scratch-file.ts';
import { infoOf, type TestRecord } from '../../support/storages.ts';
import { layoutIn, seal, TableFile, tableBytes } from '../../support/table-bytes.ts';

/** Tables are small and quick to check. */
const TABLE_MUTANTS = 25 * MUTANTS;

let file: TableFile;
let scanned: ScratchFile;
beforeAll(() => {
  file = new TableFile();
  scanned = new ScratchFile(tableScanner);
});
afterAll(() => {
  file.close();
  scanned.close();
});

function* numbered(count: number, value = 'value'): Generator<TestRecord> {
  for (let i = 0; i < count; i++) yield [`key:${i}`, `${value} ${i}`, i % 3];
}

const TABLES: [string, TestRecord[]][] = [
  ['of single keys', [...numbered(60)]],
  ['of keys that came again', [...numbered(40), ...numbered(30, 'new'), ...numbered(20, 'newer')]],
  ['with keys of one hash', [...collidingKeys(20), 'other'].map((key) => [key, 'v'])],
];

/** Changes what lies behind the head: regions and what is between them. */
function mutateRegions(original: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(original);
  const { segments, index } = layoutIn(original);
  const regions = [...segments, index, index, { at: HEAD_BYTES, bytes: bytes.length - HEAD_BYTES }];
  for (let rounds = 1 + random.below(3); rounds > 0; rounds--) {
    const region = regions[random.below(regions.length)];
    const place = (): number => region.at + random.below(region.bytes);
    const kind = random.below(8);
    if (kind < 4) bytes[place()] ^= 1 << random.below(8);
    else if (kind < 5) bytes[place()] = random.below(256);
    else if (kind < 6) bytes.copyWithin(place(), place(), place());
    else swapSlots(bytes, layoutIn(original), random);
  }
  return bytes;
}

function swapSlots(bytes: Buffer, { index }: TableLayout, random: Random): void {
  const [a, b] = [0, 0].map(() => index.at + 8 * random.below(index.bytes / 8));
  const slot = Buffer.from(bytes.subarray(a, a + 8));
  bytes.copy(bytes, a, b, b + 8);
  slot.copy(bytes, b);
}

/** What the records of a table must be found to be: the last of each key. */
async function expectServed(bytes: Buffer, layout: TableLayout, title: string): Promise<void> {
  const expected = new Map(await scanned.scan(bytes));
  const memory = [...layout.segments, layout.index].map(
    ({ at, bytes: length }) => new Uint8Array(bytes.subarray(at, at + length)).buffer,
  );
  const table = openTable({ layout, place: { memory } }, infoOf(layout.keys, bytes.length));
  expect(layout.keys, title).toBe(expected.size);
  for (const [key, value] of expected) {
    const entry = table.get(Buffer.from(key, 'latin1'), 0, key.length)!;
    const found = entry?.buffer.toString('latin1', entry.valueStart, entry.valueEnd);
    expect(found, title).toBe(value);
  }
  let visited = 0;
  table.scan!(0, 1e6, () => void visited++);
  expect(visited, title).toBe(expected.size);
  table.close();
}

describe('a table that is accepted serves just what its records say', () => {
  it.each(TABLES)(
    `in ${TABLE_MUTANTS} mutants of one %s, with right sums`,
    async (name, records) => {
      const original = await tableBytes(records, { segmentBytesMax: 3000 });
      const layout = layoutIn(original);
      let refused = 0;
      for (let seed = FIRST_SEED; seed < FIRST_SEED + TABLE_MUTANTS; seed++) {
        const title = `SEED=${seed} of one ${name}`;
        const random = new Random(seed);
        const bytes = mutateRegions(original, random);
        // The numbers of the head are lies too, now and then.
        const lie = (count: number): number => count + (random.below(12) === 0 ? -1 : 0);
        seal(bytes, layout, { keys: lie(layout.keys), records: lie(layout.records) });
        let found: TableLayout;
        try {
          found = file.check(bytes);
        } catch (error) {
          refused++;
          if (error instanceof GoromdbError && isBadFile(error)) continue;
          throw new Error(title, { cause: error });
        }
        await expectServed(bytes, found, title);
      }
      expect(refused).toBeGreaterThan(TABLE_MUTANTS / 3);
      expect(refused).toBeLessThan(TABLE_MUTANTS);
    },
  );
});

it.each(TABLES)(
  `gives records or a typed error for ${MUTANTS} mutants of one %s`,
  async (name, records) => {
    const original = await tableBytes(records, { segmentBytesMax: 3000 });
    await tryMutants({
      ...{ name, original, pageBytes: 4096, file: scanned, ways: [{}] },
      seal: (bytes) => {
        if (bytes.length === original.length) seal(bytes, layoutIn(original));
      },
    });
  },
);

it(`refuses all of ${TABLE_MUTANTS} mutants whose sums were left as they were`, async () => {
  const original = await tableBytes(TABLES[1][1], { segmentBytesMax: 3000 });
  for (let seed = FIRST_SEED; seed < FIRST_SEED + TABLE_MUTANTS; seed++) {
    const bytes = mutate(original, 4096, new Random(seed));
    if (bytes.equals(original)) continue;
    const check = (): unknown => file.check(bytes);
    expect(check, `SEED=${seed}`).toThrow(GoromdbError);
  }
});
