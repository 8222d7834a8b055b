import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder, 'data.json');
});

function start(...flags: readonly string[]): GoromdbProcess {
  return new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', file, ...flags]);
}

test('a second server on a base folder is refused in one line, and changes nothing', async () => {
  const first = start();
  await first.address();
  const second = start('-basedir', folder);
  expect(await second.exit()).toBe(1);
  expect(second.stderr).toMatch(
    new RegExp(
      `^\\S+ info goromdb [^\n]*\ngoromdb: the base folder ${folder} is in use by another goromdb \\(pid ${first.child.pid} on .*, since \\S+\\): .*another base folder\n$`,
    ),
  );
  drop(file, '{"v":"1"}');
  await first.says(/generation 1 serves/);
});

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'a server that has ended by %s has let go of its base folder',
  async (signal) => {
    const first = start();
    await first.address();
    await first.kill(signal);
    expect(existsSync(join(folder, 'control.sock'))).toBe(signal === 'SIGKILL');
    await start().address();
  },
);
