import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { buildTable } from '../../src/build/build.ts';
import { isBadFile } from '../../src/common/errors.ts';
import { temporaryFolder } from '../support/folder.ts';
import { FIRST_SEED, mutate } from '../support/mutants.ts';
import { Random } from '../support/random-bytes.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/parquet/', import.meta.url));
const MUTANTS = Number(process.env.MUTANTS ?? 60);

/** 2^35 - 1 and 2^28 as Thrift and the runs of Parquet write them. */
const VARINTS = [
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f]),
  Buffer.from([0x80, 0x80, 0x80, 0x80, 0x01]),
];

/** Half of them have a number in them that is far too large. */
function mutant(original: Buffer, random: Random): Buffer {
  if (random.below(2) === 0) return mutate(original, 256, random);
  const bytes = Buffer.from(original);
  VARINTS[random.below(2)].copy(bytes, random.below(bytes.length));
  return bytes;
}

// Writers compress pages, and hyparquet trusts what it finds in one that is whole: these are not.
test.each(['small-none.parquet', 'delta.parquet', 'types.parquet', 'duckdb.parquet'])(
  'damaged Parquet has records or is refused as a bad file, and nothing is left: %s',
  async (name) => {
    const folder = temporaryFolder();
    const [path, out] = [join(folder, 'a.parquet'), join(folder, 'out.db')];
    const original = readFileSync(join(FIXTURES, name));
    const rows = { key: ['id'], value: name === 'types.parquet' ? 'decimal' : 'n' };
    for (let seed = FIRST_SEED; seed < FIRST_SEED + MUTANTS; seed++) {
      writeFileSync(path, mutant(original, new Random(seed)));
      try {
        await buildTable({ out, inputs: [path], rows, skipBad: 1000 });
      } catch (error) {
        expect(isBadFile(error), `SEED=${seed}: ${error}`).toBe(true);
      }
      const left = readdirSync(folder).filter((file) => file.includes('.tmp'));
      expect(left, `SEED=${seed}`).toEqual([]);
    }
  },
);
