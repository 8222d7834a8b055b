import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { contentKeyOf, FileWatch } from '../../src/cli/local/file-watch.ts';
import { silentLogger } from '../../src/common/log.ts';
import { temporaryFolder } from '../support/folder.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder, 'a.csv');
  writeFileSync(file, '1');
});

function watchOf(...paths: readonly string[]): FileWatch {
  const options = { paths, pollIntervalMs: 0, rescanMs: 50, logger: silentLogger };
  const watch = new FileWatch(options);
  onTestFinished(() => watch.close());
  return watch;
}

test('of many changes it tells the last, when the file is quiet', async () => {
  const watch = watchOf(file);
  const next = watch.next(await contentKeyOf([file]));
  for (const text of ['2', '3', '4']) appendFileSync(file, text);
  expect(await next).toBe(await contentKeyOf([file]));
});

test('a file that is gone tells nothing, and one that takes its place does', async () => {
  const watch = watchOf(file);
  const known = await contentKeyOf([file]);
  rmSync(file);
  const next = watch.next(known);
  expect(await contentKeyOf([file])).toBeUndefined();
  writeFileSync(join(folder, 'new'), '2');
  renameSync(join(folder, 'new'), file);
  expect(await next).toBe(await contentKeyOf([file]));
});

test('a new file in a folder, or one that fits a pattern, is a change', async () => {
  const inner = join(folder, 'days');
  mkdirSync(inner);
  writeFileSync(join(inner, '1.csv'), '1');
  for (const input of [inner, join(folder, '*', '*.csv')]) {
    const known = await contentKeyOf([input]);
    const next = watchOf(input).next(known);
    writeFileSync(join(inner, `${input.length}.csv`), '2');
    expect(await next).toBe(await contentKeyOf([input]));
    expect(await contentKeyOf([input])).not.toBe(known);
  }
});

test('closing it ends the wait', async () => {
  const watch = watchOf(file);
  const next = watch.next(await contentKeyOf([file]));
  await watch.close();
  expect(await next).toBeUndefined();
});
