import { existsSync, mkdirSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { removeKilledServers } from '../../src/cli/local/left-behind.ts';
import { lockFolder } from '../../src/control/folder-lock.ts';
import { temporaryFolder } from '../support/folder.ts';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  vi.stubEnv('TMPDIR', folder);
});
afterEach(() => vi.unstubAllEnvs());

/** A folder that a server of local data has made so many hours ago. */
function made(name: string, hours: number, inner = 'slots'): string {
  const path = join(folder, name);
  mkdirSync(join(path, inner, 'data00'), { recursive: true });
  const seconds = Date.now() / 1000 - hours * 3600;
  utimesSync(path, seconds, seconds);
  return path;
}

test('the folder of a server that was killed goes when it is a day old', async () => {
  const path = made('goromdb-serve-aB3xY9', 25);
  await removeKilledServers();
  expect(existsSync(path)).toBe(false);
});

test('that of a server that runs stays, however old it is', async () => {
  const path = made('goromdb-serve-aB3xY9', 9999);
  const lock = await lockFolder(join(path, 'slots'));
  await removeKilledServers();
  expect(existsSync(path)).toBe(true);
  await lock.release();
  await removeKilledServers();
  expect(existsSync(path)).toBe(false);
});

test('what is not surely of a server that was killed stays', async () => {
  const target = made('target', 99);
  symlinkSync(target, join(folder, 'goromdb-serve-linked'));
  const stay = [
    target,
    made('goromdb-serve-young1', 23),
    made('goromdb-serve-short', 99),
    made('goromdb-serve-noSlot', 99, 'other'),
    made('goromdb-once-aB3xY9', 99),
  ];
  await removeKilledServers();
  expect(stay.filter((path) => !existsSync(join(path)))).toEqual([]);
  expect(existsSync(join(target, 'slots'))).toBe(true);
});

test('a temporary folder that is not there is nothing to fail for', async () => {
  vi.stubEnv('TMPDIR', join(folder, 'none'));
  await removeKilledServers();
});
