import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { buildTable } from '../../src/build/build.ts';
import { GoromdbError } from '../../src/common/errors.ts';
import { checkFile } from '../../src/inspect/check.ts';
import { diffFiles } from '../../src/inspect/diff.ts';
import { dumpFile } from '../../src/inspect/dump.ts';
import { findRecords } from '../../src/inspect/find.ts';
import { readRecords } from '../../src/inspect/read-records.ts';

/**
 * Does all that can be done with a file: each ends, or says by an error with a code why not, and leaves
 * nothing in the folder for temporary files.
 */
export async function inspectAll(path: string, scratchDir: string): Promise<void> {
  const options = { scratchDir };
  const { verdict } = await checkFile(path, options);
  const works = {
    dump: () => dumpFile(path, () => {}, options),
    'diff with itself': async () =>
      expect(await diffFiles(path, path, options)).toMatchObject({ added: 0 }),
    find: () => findRecords(path, [Buffer.from('key:1'), Buffer.alloc(0)], options),
    build: async () => {
      const out = join(scratchDir, 'out.db');
      await buildTable({ out, inputs: [path] });
      for (const made of [out, `${out}.md5`]) rmSync(made);
    },
    read: async () => {
      for await (const { key } of readRecords(path, options))
        expect(key.length).toBeLessThan(65_536);
    },
  };
  for (const [name, work] of Object.entries(works)) {
    const fault = await work().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (fault !== undefined) expect(fault, `${name} of ${path}`).toBeInstanceOf(GoromdbError);
    // A key may be found in a file that is bad elsewhere.
    if (name !== 'find')
      expect(fault === undefined, `${name} of ${path}`).toBe(verdict === 'sound');
  }
  expect(readdirSync(scratchDir)).toEqual([]);
}
