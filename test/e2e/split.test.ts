import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

async function run(...args: readonly string[]): Promise<{ code: number | null; text: string }> {
  const goromdb = new GoromdbProcess(['split', ...args]);
  const code = await goromdb.exit();
  return { code, text: goromdb.stdout + goromdb.stderr };
}

test('splits a CSV into two shards, those into four, and says what moved', async () => {
  const folder = temporaryFolder();
  const [csv, two, four] = ['in.csv', 's2', 's4'].map((name) => join(folder, name));
  writeFileSync(csv, 'id,v\nfoo,1\nbar,2\nhello,3\n');
  const first = await run('-shards', '2', '-o', two, '-key', 'id', csv);
  expect(first).toMatchObject({
    code: 0,
    text: expect.stringMatching(/shard0\.db: 2 keys[\s\S]*: 3 keys in 2 shards/),
  });
  const second = await run('-shards', '4', '-o', four, '-from', two);
  expect(second.code).toBe(0);
  expect(second.text).toMatch(/^shard0: 1 key to shard0, 1 key to shard2$/m);
  const asJson = await run('-shards', '2', '-o', two, '-key', 'id', '-json', csv);
  expect(JSON.parse(asJson.text)).toMatchObject({ totals: { keys: 3 }, warnings: [], moves: [] });
});

test('ends with 1, 2 or 3, and writes nothing', async () => {
  const folder = temporaryFolder();
  const [csv, out] = ['in.csv', 'out'].map((name) => join(folder, name));
  writeFileSync(csv, 'id,v\n"foo\n');
  const refused = [
    [1, '-shards', '2', '-o', out, join(folder, 'none.csv')],
    [1, '-shards', '2', '-o', join(folder, 'none/deeper'), csv],
    [2, '-shards', '3', '-o', out, csv],
    [1, '-shards', join(folder, 'shards.toml'), '-o', out, csv],
    [2, '-o', out, csv],
    [2, '-shards', '2', '-o', out, '-from', folder, csv],
    [2, '-shards', '2', '-o', out, '-from', folder, '-prefix', 'x'],
    [3, '-shards', '2', '-o', out, '-key', 'id', csv],
  ] as const;
  const codes = await Promise.all(refused.map(async ([, ...args]) => (await run(...args)).code));
  expect(codes).toEqual(refused.map(([code]) => code));
  expect(existsSync(join(out, 'manifest.json'))).toBe(false);
});
