import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FakeEtcd, type Mishap } from '../support/fake-etcd.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

/** Runs `goromdb once …` to its end. */
async function once(word: string, etcd: FakeEtcd, ...args: readonly string[]) {
  const program = new GoromdbProcess(['once', word, '-etcd', etcd.url, ...args]);
  const code = await program.exit();
  return { code, said: program.stdout, warned: program.stderr };
}

function file(text: string, name = 'in.jsonl'): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, text);
  return path;
}

const LINES = `${Array.from({ length: 300 }, (_, i) => `{"key":"k${i}","value":"v${i}"}`).join('\n')}\n`;

test('goromdb once import creates keys, counts those that are there, and names those that have another value', async () => {
  const etcd = await FakeEtcd.start();
  const input = file(LINES);
  expect(await once('import', etcd, input)).toMatchObject({
    code: 0,
    said: '300 keys created, 0 keys unchanged\n',
  });
  expect(await once('import', etcd, input)).toMatchObject({
    code: 0,
    said: '0 keys created, 300 keys unchanged\n',
  });
  const csv = file('id,v\nk1,v1\nk2,other\nnew,1\n', 'in.csv');
  expect(await once('import', etcd, '-key', 'id', '-value', 'v', csv)).toEqual({
    code: 4,
    said: '1 key created, 1 key unchanged, 1 key with another value, which is kept\n',
    warned: 'another value is kept: k2\n',
  });
});

test('goromdb once import creates nothing when an input is bad, or a key or value can be none', async () => {
  const etcd = await FakeEtcd.start();
  const bad = await once('import', etcd, file(`${LINES}{`));
  expect(bad).toMatchObject({ code: 3 });
  expect(bad.warned).toMatch(/nothing was created\n$/);
  const long = await once(
    'import',
    etcd,
    file(`${LINES}{"key":"${'k'.repeat(251)}","value":""}\n`),
  );
  expect(long.warned).toMatch(
    /expected a key of 1 to 250 bytes, found 251; nothing was created\n$/,
  );
  expect(long.code).toBe(3);
  expect(etcd.asked).toEqual([]);
});

test('goromdb once import creates nothing when inputs have two values for a key, unless it is told which to take', async () => {
  const etcd = await FakeEtcd.start();
  const a = file(`${LINES}{"key":"k7","value":"v7"}\n`, 'a.jsonl');
  const b = file('{"key":"new","value":""}\n{"key":"k7","value":"other"}\n', 'b.jsonl');
  // The last value is the first one again: each of the three counts.
  const refused = await once('import', etcd, '-key', 'key', '-value', 'value', a, b, a);
  expect(refused).toEqual({
    code: 3,
    said: '',
    warned: `goromdb: key "k7": expected one value, found one at line 8 of ${a} and another at line 2 of ${b}; nothing was created\n`,
  });
  const key = 'k'.repeat(60_000);
  const long = file([1, 2].map((value) => JSON.stringify({ key, value: `${value}` })).join('\n'));
  const { warned } = await once('import', etcd, long);
  expect(warned).toMatch(/^goromdb: key "k+\.\.\.": expected one value/);
  expect(warned.length).toBeLessThan(1_000);
  expect((await once('import', etcd, '-duplicates', 'error', a)).code).toBe(3);
  expect(etcd.asked).toEqual([]);
  expect(await once('import', etcd, a, a)).toEqual({
    ...{ code: 0, said: '300 keys created, 0 keys unchanged\n', warned: '' },
  });
  expect(await once('import', etcd, '-duplicates', 'first', a, b)).toMatchObject({
    ...{ code: 0, said: '1 key created, 300 keys unchanged\n' },
  });
  expect(await once('import', etcd, '-duplicates', 'last', a, b)).toMatchObject({
    ...{ code: 4, said: expect.stringMatching(/1 key with another value/) },
  });
});

test('goromdb once import goes on after an unknown outcome, and ends when etcd is full', async () => {
  const etcd = await FakeEtcd.start();
  etcd.mishaps.set('txn', 'cut-after');
  const program = new GoromdbProcess(['once', 'import', '-etcd', etcd.url, file(LINES)]);
  await expect.poll(() => etcd.keys.size).toBe(300);
  etcd.mishaps.clear();
  expect(await program.exit()).toBe(0);
  const full: Mishap = { status: 429, code: 8, message: 'mvcc: database space exceeded' };
  etcd.mishaps.set('txn', full);
  const ended = await once('import', etcd, file(`${LINES}{"key":"new","value":""}\n`));
  expect(ended.code).toBe(1);
  expect(ended.warned).toMatch(/the database of etcd is full .*run it again, which is safe/);
});

test('goromdb once export writes what import takes, and a table that is served', async () => {
  const etcd = await FakeEtcd.start();
  const lines = `${LINES}{"key":"flagged \\"","valueBase64":"/w==","flags":7}\n`;
  await once('import', etcd, file(lines));
  const exported = await once('export', etcd);
  expect(exported.code).toBe(0);
  expect(exported.said.split('\n').sort()).toEqual(lines.split('\n').sort());
  const out = join(temporaryFolder(), 'keys.db');
  expect(await once('export', etcd, '-o', out)).toMatchObject({
    said: expect.stringMatching(/: 301 keys, at revision \d+ of etcd\n$/),
  });
  const dump = new GoromdbProcess(['dump', out]);
  await dump.exit();
  expect(dump.stdout).toBe(exported.said);
  expect(readFileSync(`${out}.md5`, 'utf8')).toMatch(/^[\da-f]{32} {2}keys\.db\n$/);
});

const FOREIGN =
  'etcd: key /goromdb/once/z: expected a value of goromdb once, found another form (1 B); nothing else may write below its prefix';

test('goromdb once export writes nothing when another program has written below the prefix', async () => {
  const etcd = await FakeEtcd.start();
  await once('import', etcd, file(LINES));
  etcd.put('/goromdb/once/z', 'x');
  const out = join(temporaryFolder(), 'keys.db');
  const { code, warned } = await once('export', etcd, '-o', out);
  expect(code).toBe(1);
  expect(warned).toBe(`goromdb: ${FOREIGN}\n`);
  expect(() => readFileSync(out)).toThrow(/ENOENT/);
});

test('goromdb once import names the key that another program has written, and does not try again', async () => {
  const etcd = await FakeEtcd.start();
  etcd.put('/goromdb/once/z', 'x');
  const { code, warned } = await once('import', etcd, file(`${LINES}{"key":"z","value":"x"}\n`));
  expect(code).toBe(1);
  expect(warned).toBe(
    `goromdb: ${FOREIGN}; the import ends, and some keys may have been created\n`,
  );
});

test.each([
  ['import', [], /-etcd is required/],
  ['import', ['-etcd', 'http://127.0.0.1:1'], /expected an INPUT, found none/],
  ['export', [], /-etcd is required/],
  ['export', ['-etcd', 'http://127.0.0.1:1', '-etcd-key', 'k'], /-etcd-cert and -etcd-key belong/],
])('goromdb once %s %j says what is wrong, and ends with 2', async (word, args, said) => {
  const program = new GoromdbProcess(['once', word, ...args]);
  expect(await program.exit()).toBe(2);
  expect(program.stderr).toMatch(said);
});
