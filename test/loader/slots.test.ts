import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../../src/common/log.ts';
import { prepareBase, prepareSlots } from '../../src/loader/slots/base-folder.ts';
import { newestGeneration, readSlots, writeRecord } from '../../src/loader/slots/slots.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import type { FaultyDisk } from '../support/faulty-disk.ts';
import { BaseFolder, recordOf } from './base-folder.ts';

const shared = vi.hoisted(() => ({ disk: undefined as FaultyDisk | undefined }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const { FaultyDisk } = await import('../support/faulty-disk.ts');
  shared.disk = new FaultyDisk();
  return shared.disk.wrap(await importOriginal());
});

let base: BaseFolder;
beforeEach(() => {
  shared.disk!.set();
  base = new BaseFolder();
});

describe('reading the slots', () => {
  test('the higher generation is the newer one, whichever slot it is in', async () => {
    await base.fill('data00', 'old', 8);
    await base.fill('data01', 'new', 9);
    expect(await base.slots()).toEqual(['data01 9', 'data00 8']);
    await base.fill('data00', 'newer', 10);
    expect(await base.slots()).toEqual(['data00 10', 'data01 9']);
  });

  test('the higher generation is the newer one, though the clock was set back meanwhile', async () => {
    await base.fill('data00', 'old', 8);
    await base.fill('data01', 'new', 9);
    const record = { ...recordOf(9, 'new'), installedAt: '1970-01-01T00:00:00.000Z' };
    await writeRecord(base.path, 'data01', record);
    utimesSync(join(base.path, 'data01', 'data.db'), 1, 1);
    expect(await base.slots()).toEqual(['data01 9', 'data00 8']);
  });

  test('slots that the Go program filled are ordered by when their files were written', async () => {
    await base.fill('data00', 'new');
    await base.fill('data01', 'old');
    utimesSync(join(base.path, 'data01', 'data.db'), 1000, 1000);
    expect(await base.slots()).toEqual(['data00 foreign', 'data01 foreign']);
    utimesSync(join(base.path, 'data00', 'data.db'), 500, 500);
    expect(await base.slots()).toEqual(['data01 foreign', 'data00 foreign']);
  });

  test('a slot of the Go program stays older than the one that was recovered beside it', async () => {
    await base.fill('data00', 'old');
    utimesSync(join(base.path, 'data00', 'data.db'), 10, 10);
    await base.fill('data01', 'new', 20);
    expect(await base.slots()).toEqual(['data01 20', 'data00 foreign']);
  });

  test('a slot that the Go program filled later, over a record of ours, is the newer one', async () => {
    await base.fill('data00', 'ours', 6);
    await base.fill('data01', 'also ours', 5);
    await base.fill('data01', 'of the Go program');
    expect(await base.slots()).toEqual(['data01 foreign', 'data00 6']);
  });

  test.each([
    ['no data file', (folder: string) => rmSync(join(folder, 'data.db'))],
    ['no sum file', (folder: string) => rmSync(join(folder, 'data.db.md5'))],
    [
      'a sum file without a sum',
      (folder: string) => writeFileSync(join(folder, 'data.db.md5'), ''),
    ],
    ['no folder', (folder: string) => rmSync(folder, { recursive: true })],
  ])('a slot with %s counts as empty', async (_, spoil) => {
    await base.fill('data00', 'a', 1);
    await base.fill('data01', 'b', 2);
    spoil(join(base.path, 'data01'));
    expect(await base.slots()).toEqual(['data00 1']);
  });

  test('a slot that cannot be read is reported, and the other one counts', async () => {
    await base.fill('data00', 'a', 1);
    mkdirSync(join(base.path, 'data01', 'data.db.md5'), { recursive: true });
    const onFault = vi.fn();
    expect(await readSlots(base.path, onFault)).toMatchObject([{ name: 'data00' }]);
    expect(onFault).toHaveBeenCalledExactlyOnceWith('data01', expect.any(Error));
  });

  test.each([
    'null',
    '[]',
    '{"generation": 5}',
    '{"generation": "5"}',
    '{"generation": 1e300}',
    'no JSON',
  ])('a record file with %s is no record', async (text) => {
    await base.fill('data00', 'a');
    writeFileSync(join(base.path, 'data00', 'generation.json'), text);
    expect(await base.slots()).toEqual(['data00 foreign']);
    expect(await newestGeneration(base.path)).toBe(0);
  });

  test('a generation number counts although its file is damaged or gone', async () => {
    await base.fill('data00', 'a', 3);
    await base.fill('data01', 'b', 4);
    rmSync(join(base.path, 'data01', 'data.db'));
    expect(await newestGeneration(base.path)).toBe(4);
  });
});

describe('preparing the slots', () => {
  test('makes the base folder, says so, and makes the slots, and leaves no probe behind', async () => {
    const path = join(base.path, 'not-yet');
    const logger = collectingLogger();
    await prepareBase(path, logger);
    await prepareBase(path, logger);
    expect(logger.lines).toEqual([`info made the base folder ${path}, which was not there`]);
    await prepareSlots(path);
    expect(readdirSync(path)).toEqual(['data00', 'data01']);
    expect(readdirSync(join(path, 'data00'))).toEqual([]);
  });

  test.each(['mistyped/goromdb', 'mistyped/way/up'])(
    'makes no folders on the way to the base folder: %s',
    async (name) => {
      const path = join(base.path, name);
      await expect(prepareBase(path, silentLogger)).rejects.toMatchObject({
        code: 'FOLDER_UNUSABLE',
        message: expect.stringContaining(
          `cannot make the base folder ${path}: expected the folder ${dirname(path)} to be there`,
        ),
      });
      expect(readdirSync(base.path)).toEqual([]);
    },
  );

  test('removes a copy that a crash left half done', async () => {
    await base.fill('data00', 'a', 1);
    writeFileSync(join(base.path, 'data00', 'data.db.incoming'), 'half');
    await prepareSlots(base.path);
    expect(readdirSync(join(base.path, 'data00'))).not.toContain('data.db.incoming');
    expect(await base.slots()).toEqual(['data00 1']);
  });

  test.each([
    ['', 'ENOTDIR'],
    ['data01', 'EEXIST'],
  ])('a file in the place of the folder "%s" is told in one line', async (name, code) => {
    const folder = join(base.path, 'base');
    const blocked = name === '' ? folder : join(folder, name);
    if (name !== '') mkdirSync(folder);
    writeFileSync(blocked, '');
    await expect(prepareSlots(folder)).rejects.toMatchObject({
      code: 'FOLDER_UNUSABLE',
      message: expect.stringMatching(
        new RegExp(`^cannot write in the base folder ${folder} \\(${code} at .*-basedir$`),
      ),
    });
  });

  test('a full disk is reported as one', async () => {
    shared.disk!.set({ failAt: 2, code: 'ENOSPC' });
    await expect(prepareSlots(base.path)).rejects.toThrow(
      /\(ENOSPC at .*\): make room on that disk/,
    );
  });
});
