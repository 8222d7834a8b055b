import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { inspectAll } from '../support/inspect-all.ts';
import { FIRST_SEED, MUTANTS, mutate } from '../support/mutants.ts';
import { Random } from '../support/random-bytes.ts';
import type { TestRecord } from '../support/storages.ts';
import { layoutIn, seal, tableBytes } from '../support/table-bytes.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));

const FILES = readdirSync(FIXTURES, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(?:db|mdb|json)(?:\.gz)?$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name));

describe('what is done with a hostile file ends, or says why not, and leaves nothing behind', () => {
  test('with every other fixture, and with half of each one between', async () => {
    const scratchDir = temporaryFolder();
    const file = join(temporaryFolder(), 'data.db');
    for (const [number, path] of FILES.entries()) {
      const bytes = readFileSync(path);
      writeFileSync(file, number % 2 === 0 ? bytes : bytes.subarray(0, bytes.length / 2));
      await inspectAll(file, scratchDir);
    }
  });

  test('with mutants of tables, whose sums are right', async () => {
    const scratchDir = temporaryFolder();
    const path = join(temporaryFolder(), 'mutant.db');
    const records = Array.from(
      { length: 90 },
      (_, i): TestRecord => [`key:${i % 60}`, `${i}`, i % 3],
    );
    const original = await tableBytes(records, { segmentBytesMax: 1000 });
    for (let seed = FIRST_SEED; seed < FIRST_SEED + MUTANTS; seed++) {
      const bytes = mutate(original, 4096, new Random(seed));
      if (bytes.length === original.length) seal(bytes, layoutIn(original));
      writeFileSync(path, bytes);
      await inspectAll(path, scratchDir);
    }
  });
});
