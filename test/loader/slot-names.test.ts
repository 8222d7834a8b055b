import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { messageOf } from '../../src/common/errors.ts';
import { serving, version } from './loader-harness.ts';

test.each([
  ['a link to nothing', (path: string): void => symlinkSync('/nowhere', path)],
  ['a file', (path: string): void => writeFileSync(path, '')],
])('%s in the place of a slot fails the load with what to do, and stays', async (_, make) => {
  const harness = await serving();
  const path = join(harness.base, 'data00');
  rmSync(path, { recursive: true });
  make(path);
  await expect(harness.load(version(3))).rejects.toMatchObject({
    code: 'FOLDER_UNUSABLE',
    message: expect.stringMatching(
      /^something else has its name: remove it \(EEXIST: mkdir .*data00\)/,
    ),
  });
  expect(lstatSync(path).isDirectory()).toBe(false);
  expect([harness.value, existsSync(harness.file)]).toEqual(['2', true]);
});

describe('a folder that has the name of a file in the slot to be filled', () => {
  test.each([
    ...['data.db', 'data.db.incoming', 'data.db.md5', 'data.db.md5.tmp', 'table.mdb'],
    ...['generation.json', 'generation.json.tmp', 'table.mdb.incoming', 'map.mdb'],
  ])('is left as it is, with a message, and nothing is lost: %s', async (name) => {
    const harness = await serving();
    const folder = join(harness.base, 'data00', name);
    rmSync(folder, { force: true });
    mkdirSync(folder);
    writeFileSync(join(folder, 'x'), 'precious');
    const loaded = harness.load(version(3)).catch((error: unknown) => messageOf(error));
    expect([{ kind: 'taken' }, expect.stringMatching(/folder|EISDIR|directory/)]).toContainEqual(
      await loaded,
    );
    expect(readFileSync(join(folder, 'x'), 'utf8')).toBe('precious');
    const isTaken = harness.value === '3';
    expect(existsSync(harness.file)).toBe(!isTaken);
    if (isTaken) return;
    expect(harness.value).toBe('2');
    rmSync(folder, { recursive: true });
    expect(await harness.load(version(3))).toEqual({ kind: 'taken' });
    expect(harness.value).toBe('3');
  });
});
