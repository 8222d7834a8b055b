import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTableFile } from '../../src/inspect/open-table.ts';
import { readRecords } from '../../src/inspect/read-records.ts';
import { serving } from '../loader/loader-harness.ts';
import { temporaryFolder } from '../support/folder.ts';
import type { TestRecord } from '../support/storages.ts';
import { writeTable } from '../support/table-file.ts';

async function keysOf(place: string, scratchDir?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of readRecords(place, { scratchDir })) keys.push(key.toString());
  return keys;
}

async function table(records: readonly TestRecord[]): Promise<string> {
  const path = join(temporaryFolder(), 'table.db');
  await writeTable(path, records);
  return path;
}

describe('readRecords', () => {
  test('gives each record once, with its value and flags, in the order of the file', async () => {
    const path = await table([
      ['a', '1'],
      ['b', '2', 7],
      ['a', '3'],
      ['', ''],
    ]);
    const records: unknown[] = [];
    for await (const { key, value, flags } of readRecords(path)) {
      records.push([`${key}`, `${value}`, flags]);
    }
    expect(records).toEqual([
      ['b', '2', 7],
      ['a', '3', 0],
      ['', '', 0],
    ]);
    const { base } = await serving();
    expect(await keysOf(`${base}@previous`)).toEqual(['v']);
  });

  test('lets timers and signals come round, also when whoever reads them never waits', async () => {
    const records = Array.from({ length: 30_000 }, (_, i): TestRecord => [`${i}`, 'v'.repeat(60)]);
    const path = await table(records);
    let turns = 0;
    const turn = (): void => {
      turns++;
      next = setImmediate(turn);
    };
    let next: NodeJS.Immediate | undefined;
    for await (const _ of readRecords(path)) next ??= setImmediate(turn);
    clearImmediate(next);
    expect(turns).toBeGreaterThan(5);
  });

  test('gives many blocks of records, and keeps what it has given', async () => {
    const names = Array.from({ length: 30_000 }, (_, i) => `key ${i}`);
    const records = names.map((name): TestRecord => [name, `value of ${name}`.repeat(3)]);
    const path = await table(records);
    expect(await keysOf(path)).toEqual(names);
    for await (const { key } of readRecords(path)) {
      expect(key.toString()).toBe('key 0');
      break;
    }
  });

  test('may be left early, and leaves nothing behind', async () => {
    const folder = temporaryFolder();
    const scratchDir = temporaryFolder();
    const path = join(folder, 'a.jsonl');
    writeFileSync(path, '{"key":"a","value":"b"}\n{"key":"c","value":"d"}\n');
    for await (const { key } of readRecords(path, { scratchDir })) {
      expect(key.toString()).toBe('a');
      break;
    }
    await expect(readRecords(path, { scratchDir, storage: 'json' }).next()).rejects.toThrow(
      /jsonl/,
    );
    await expect(readRecords(`${path}.none`).next()).rejects.toThrow(/found nothing there/);
    expect(readdirSync(scratchDir)).toEqual([]);
  });

  test('throws what is wrong with a file before its first record', async () => {
    const path = join(temporaryFolder(), 'a.jsonl');
    writeFileSync(path, '{"key":"a","value":"b"}\n{"key"');
    await expect(readRecords(path).next()).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
  });
});

describe('openTableFile', () => {
  test('opens a table for lookups, which goes on when the file is renamed or removed', async () => {
    const path = await table([
      ['a', '1'],
      ['b', '2', 7],
    ]);
    const storage = await openTableFile(path);
    renameSync(path, `${path}.old`);
    rmSync(`${path}.old`);
    const entry = storage.get(Buffer.from('b'), 0, 1);
    expect(entry?.buffer.toString('latin1', entry.valueStart, entry.valueEnd)).toBe('2');
    expect(storage.info).toMatchObject({ keys: 2, format: 'table' });
    storage.close();
  });

  test('refuses what is no sound table, and the folder of a server', async () => {
    const path = await table([['a', '1']]);
    const bad = Buffer.alloc(100_000, 1);
    writeFileSync(path, bad);
    await expect(openTableFile(path)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    const { base } = await serving();
    await expect(openTableFile(base)).rejects.toThrow(/base folder of a server/);
  });
});
