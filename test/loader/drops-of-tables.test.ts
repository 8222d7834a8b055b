/** What holds for all drops, for a table that is dropped itself: it has a way of its own through the loader. */
import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { tableBytes } from '../support/table-bytes.ts';
import { LoaderHarness } from './loader-harness.ts';

const table = (v: string | number, others = 0): Promise<Buffer> =>
  tableBytes([['v', `${v}`], ...Array.from({ length: others }, (_, i) => [`${i}`, ''] as const)]);

/** A loader that serves table 1 as generation 1 and table 2 as generation 2. */
async function servingTables(): Promise<LoaderHarness> {
  const harness = new LoaderHarness({ scanner: 'auto' });
  await harness.start();
  for (const v of [1, 2]) await harness.load(await table(v));
  expect(harness.served.at(-1)).toMatchObject({ generation: 2, format: 'table' });
  return harness;
}

test('a dropped table that serves is taken away when it is dropped again, and the slots stay as they are', async () => {
  const harness = await servingTables();
  const before = harness.slotFiles();
  expect(await harness.load(await table(2))).toEqual({ kind: 'taken' });
  expect(harness.slotFiles()).toEqual(before);
  expect(existsSync(harness.file)).toBe(false);
  await harness.loader.rollback();
  expect(harness.value).toBe('1');
  await harness.end();
});

test('a dropped table is not taken for the one that serves by its sum file alone', async () => {
  const harness = await servingTables();
  drop(harness.file, await table(3));
  const verdict = await harness.offer(md5(await table(2)));
  expect(verdict).toEqual({ kind: 'mismatch', found: md5(await table(3)) });
  expect(existsSync(harness.file)).toBe(true);
});

test('a dropped table without keys is refused, unless it is forced', async () => {
  const harness = await servingTables();
  const empty = await tableBytes([]);
  expect(await harness.load(empty)).toEqual({ kind: 'rejected' });
  expect(harness.logger.lines.at(-1)).toMatch(/in place of the 1 of generation 2.*TOO_FEW_KEYS/);
  expect(harness.value).toBe('2');
  drop(harness.file, empty);
  expect(await harness.offer(md5(empty), { force: true })).toEqual({ kind: 'taken' });
  expect(harness.served.at(-1)?.keys).toBe(0);
});

test('a dropped table that is much smaller is warned of', async () => {
  const harness = await servingTables();
  await harness.load(await table(3, 99));
  await harness.load(await table(4));
  expect(harness.logger.lines.join('\n')).toMatch(
    /warn .*: 99.0% fewer keys: 1, in place of the 100/,
  );
});

test('a dropped table that is linked is not reported before it serves, and its copy is no more open', async () => {
  const harness = await servingTables();
  const target = join(temporaryFolder(), 'target');
  writeFileSync(target, await table(3), { mode: 0o600 });
  symlinkSync(target, harness.file);
  const verdict = await harness.offer(md5('another'), { isLinked: true });
  expect(verdict.kind).toBe('mismatch');
  await harness.end();
  expect(Object.keys(harness.receipt()).sort()).toEqual(['at', 'file', 'percent', 'state']);
  await harness.start();
  expect(await harness.offer(md5(await table(3)), { isLinked: true })).toEqual({
    kind: 'taken',
  });
  for (const name of ['data.db', 'table.mdb']) {
    expect(statSync(join(harness.base, 'data00', name)).mode & 0o777).toBe(0o600);
  }
});
