import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Diff, diffFiles, diffText } from '../../src/inspect/diff.ts';
import { serving, version } from '../loader/loader-harness.ts';
import { temporaryFolder } from '../support/folder.ts';
import type { TestRecord } from '../support/storages.ts';
import { writeTable } from '../support/table-file.ts';

/** Compares, and tells the keys that differ. */
async function keysIn(old: string, now: string): Promise<readonly string[]> {
  const keys: string[] = [];
  await diffFiles(old, now, {
    onDifference: (what, key) => keys.push(`${what} ${key.toString('latin1')}`),
  });
  return keys;
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

async function table(records: readonly TestRecord[], segmentBytesMax = 4096): Promise<string> {
  const path = join(temporaryFolder(), 'table.db');
  await writeTable(path, records, { segmentBytesMax });
  return path;
}

describe('a comparison of two files', () => {
  test('counts what is added, removed, changed and the same, of any two formats', async () => {
    const old = file('old.json', '{"a":"1","b":"2","c":"3"}');
    const now = await table([
      ['b', '2'],
      ['c', '4'],
      ['d', '5'],
      ['e', '6'],
    ]);
    const diff = { added: 2, removed: 1, changed: 1, same: 1 };
    expect(await diffFiles(old, now)).toEqual(diff);
    expect(await diffFiles(now, old)).toEqual({ ...diff, added: 1, removed: 2 });
    const packed = file('old.json.gz', gzipSync('{"a":"1","b":"2","c":"3"}'));
    expect(await keysIn(packed, now)).toEqual(['changed c', 'added d', 'added e', 'removed a']);
    expect(await keysIn(old, packed)).toEqual([]);
  });

  test('takes other client flags for a change', async () => {
    const old = await table([['a', '1', 0]]);
    const now = await table([['a', '1', 7]]);
    expect(await keysIn(old, now)).toEqual(['changed a']);
  });

  test('counts of records with one key the last', async () => {
    const old = file('old.jsonl', '{"key":"a","value":"1"}\n{"key":"a","value":"2"}\n');
    const now = await table([
      ['a', '2'],
      ['b', 'x'],
      ['a', '3'],
      ['b', '4'],
      ['a', '2'],
    ]);
    expect(await keysIn(old, now)).toEqual(['added b']);
    expect(await keysIn(now, old)).toEqual(['removed b']);
  });

  test('finds long records, and those at the ends of blocks and segments', async () => {
    const value = (length: number): Buffer => Buffer.alloc(length, 'v');
    const records: TestRecord[] = [100_000, 300_000, 4_000, 262_000, 0].map((length, i) => [
      `${i}`.repeat(i === 2 ? 60_000 : 1),
      value(length),
    ]);
    const old = await table(records, 700_000);
    const changed = [...records].reverse();
    changed[1] = [changed[1][0], `${value(261_999)}w`];
    const now = await table(changed);
    expect(await keysIn(old, now)).toEqual(['changed 3']);
  });

  test('agrees with two maps', async () => {
    const key = fc.stringMatching(/^[a-d]{0,3}$/);
    const records = fc.array(fc.tuple(key, fc.constantFrom('1', '2')), { maxLength: 60 });
    const property = fc.asyncProperty(records, records, async (one, other) => {
      const [old, now] = [new Map(one), new Map(other)];
      const added = [...now.keys()].filter((key) => !old.has(key)).length;
      const removed = [...old.keys()].filter((key) => !now.has(key)).length;
      const same = [...now].filter(([key, value]) => old.get(key) === value).length;
      const expected: Diff = { added, removed, same, changed: now.size - added - same };
      expect(await diffFiles(await table(one), await table(other))).toEqual(expected);
    });
    await fc.assert(property, { numRuns: 30 });
  });

  test('leaves nothing in the temporary folder, whatever becomes of it', async () => {
    const scratchDir = temporaryFolder();
    const good = file('good.json', '{"a":"1"}');
    const bad = file('bad.json', '{"a":"1",');
    await diffFiles(good, good, { scratchDir });
    await expect(diffFiles(good, bad, { scratchDir })).rejects.toThrow(/bad\.json/);
    const fails = diffFiles(file('none.json', '{}'), good, {
      scratchDir,
      onDifference: () => expect(readdirSync(scratchDir)).toEqual(['nothing']),
    });
    await expect(fails).rejects.toThrow();
    expect(readdirSync(scratchDir)).toEqual([]);
  });
});

describe('a place in the slots of a base folder', () => {
  test('is the newest generation, the previous one, or that of a number', async () => {
    const { base } = await serving();
    const [one, two] = [1, 2].map((v) => file('v.json', version(v)));
    expect(await keysIn(base, two)).toEqual([]);
    expect(await keysIn(`${base}@2`, two)).toEqual([]);
    expect(await keysIn(`${base}@previous`, one)).toEqual([]);
    expect(await keysIn(`${base}@1`, base)).toEqual(['changed v']);
    await expect(diffFiles(`${base}@3`, base)).rejects.toThrow(
      `${base}: expected generation 3, found 2 in data01, 1 in data00`,
    );
    await expect(diffFiles(temporaryFolder(), base)).rejects.toThrow(/found nothing in data00/);
  });

  test('is read beside a server that writes to its folder, and nothing is written there', async () => {
    const harness = await serving();
    const before = harness.slotFiles();
    const scratchDir = temporaryFolder();
    expect(await diffFiles(`${harness.base}@1`, harness.base, { scratchDir })).toMatchObject({
      changed: 1,
    });
    expect(harness.slotFiles()).toEqual(before);
    await harness.load(version(3));
    expect(await keysIn(`${harness.base}@previous`, file('v.json', version(2)))).toEqual([]);
  });

  test('is read to the end when a server gives the slot away, and that is reported', async () => {
    const harness = await serving();
    const notices: string[] = [];
    const old = harness.base;
    // Both slots are open when the scan of the module begins.
    const now = file(
      'next.mjs',
      `export default { format: 'x', scan: () => globalThis.nextLoads() };`,
    );
    const nextLoads = async (): Promise<void> => {
      await harness.load(version(3));
      await harness.load(version(4));
    };
    Object.assign(globalThis, { nextLoads });
    const storage = new URL(`file://${now}`).href;
    const diff = await diffFiles(old, now, { storage, onNotice: (text) => notices.push(text) });
    expect(diff).toEqual({ added: 0, removed: 1, changed: 0, same: 0 });
    expect(notices).toEqual([expect.stringMatching(/generation 2 was read to the end/)]);
  });

  test('is read of the file when its table is damaged or gone', async () => {
    const { base } = await serving();
    writeFileSync(join(base, 'data01', 'table.mdb'), 'x');
    expect(await keysIn(base, file('v.json', version(2)))).toEqual([]);
  });
});

test('a difference in one line', () => {
  const text = diffText({ added: 1204, removed: 3, changed: 88120, same: 1 });
  expect(text).toBe('+1,204 −3 ~88,120');
});
