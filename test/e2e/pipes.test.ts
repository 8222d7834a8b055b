import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

const folder = (): string => {
  const path = temporaryFolder();
  writeFileSync(join(path, 'a.json'), '{"a":"1"}');
  writeFileSync(join(path, 'b.json'), '{"a":"2"}');
  return path;
};

test.each<[string, (path: string) => readonly string[]]>([
  ['completion', () => ['completion', 'bash']],
  ['build', (path) => ['build', '-o', join(path, 'a.db'), join(path, 'a.json')]],
  ['publish', (path) => ['publish', '-timeout', '0', join(path, 'a.json'), join(path, 'drop')]],
])('%s ends with 0 and says nothing when nobody reads what it prints', async (_, args) => {
  const ended = new GoromdbProcess(args(folder()));
  // Long before it writes.
  ended.child.stdout?.destroy();
  expect(await ended.exit()).toBe(0);
  expect(ended.stderr).toBe('');
});

test.each<[string, (path: string) => readonly string[]]>([
  ['check', (path) => ['check', '-canary', 'b', join(path, 'a.json')]],
  ['diff', (path) => ['diff', '-keys', join(path, 'a.json'), join(path, 'b.json')]],
  ['get', (path) => ['get', '-json', join(path, 'a.json'), 'b']],
])('%s ends with what it has found when nobody reads what it prints', async (name, args) => {
  const ended = new GoromdbProcess(args(folder()));
  ended.child.stdout?.destroy();
  expect(await ended.exit()).toBe(name === 'check' ? 3 : 1);
});

test('diff ends with 1 also when more is to be printed than is collected', async () => {
  const path = folder();
  const many = (value: number): string => {
    const keys = Array.from({ length: 30_000 }, (_, i) => [
      `a-key-of-some-length-${i}`,
      `${value}`,
    ]);
    return JSON.stringify(Object.fromEntries(keys));
  };
  const files = [1, 2].map((value) => join(path, `${value}.json`));
  for (const [i, file] of files.entries()) writeFileSync(file, many(i));
  const ended = new GoromdbProcess(['diff', '-keys', ...files]);
  ended.child.stdout?.destroy();
  expect(await ended.exit()).toBe(1);
});

test('a server stays when nobody reads what it prints', async () => {
  const server = new GoromdbProcess(['serve', '-addr', '127.0.0.1:0', join(folder(), 'a.json')]);
  server.child.stdout?.destroy();
  await server.says(/generation 1 serves/);
  expect(await server.kill('SIGTERM')).toBe(0);
});
