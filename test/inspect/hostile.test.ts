import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { inspectAll } from '../support/inspect-all.ts';
import { FIRST_SEED, MUTANTS, mutate } from '../support/mutants.ts';
import { Random } from '../support/random-bytes.ts';
import type { TestRecord } from '../support/storages.ts';
import { layoutIn, seal, tableBytes } from '../support/table-bytes.ts';

test('all that is done with a mutant of a table ends, or says why not, and leaves nothing behind', async () => {
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
