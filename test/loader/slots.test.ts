import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type FilledSlot,
  install,
  newestGeneration,
  prepareSlots,
  readSlots,
  removeDrop,
  type SlotName,
  type SlotRecord,
  setAside,
  writeRecord,
} from '../../src/loader/slots.ts';
import { type FileIdentity, identityOf } from '../../src/watcher/identity.ts';
import { md5 } from '../support/drop.ts';
import type { FaultyDisk } from '../support/faulty-disk.ts';
import { temporaryFolder } from '../support/folder.ts';

const shared = vi.hoisted(() => ({ disk: undefined as FaultyDisk | undefined }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const { FaultyDisk } = await import('../support/faulty-disk.ts');
  shared.disk = new FaultyDisk();
  return shared.disk.wrap(await importOriginal());
});

let base: string;
let dropFolder: string;
let disk: FaultyDisk;
beforeEach(() => {
  disk = shared.disk!;
  disk.set();
  base = temporaryFolder();
  dropFolder = temporaryFolder();
});

const IGNORE = (): void => {};

function recordOf(generation: number, content: string): SlotRecord {
  return {
    generation,
    md5: md5(content),
    bytes: content.length,
    keys: 1,
    format: 'json',
    source: '/drop/data.json',
    installedAt: new Date(generation * 1000).toISOString(),
  };
}

/** Fills a slot as the Go program does, or with a record as this one. */
async function fill(name: SlotName, content: string, generation?: number): Promise<void> {
  mkdirSync(join(base, name), { recursive: true });
  writeFileSync(join(base, name, 'data.db'), content);
  writeFileSync(join(base, name, 'data.db.md5'), `${md5(content)}  data.db\n`);
  if (generation !== undefined) await writeRecord(base, name, recordOf(generation, content));
}

function dropped(content: string): { file: string; sumFile: string; md5: string } {
  const file = join(dropFolder, 'data.json');
  writeFileSync(file, content);
  writeFileSync(`${file}.md5`, `${md5(content)}  data.json\n`);
  return { file, sumFile: `${file}.md5`, md5: md5(content) };
}

function identify(path: string): FileIdentity {
  return identityOf(statSync(path, { bigint: true }));
}

/** The slots as `name generation`, the newest first. */
async function slots(): Promise<string[]> {
  const found = await readSlots(base, IGNORE);
  return found.map(({ name, record }: FilledSlot) => `${name} ${record?.generation ?? 'foreign'}`);
}

function served(name: SlotName): string {
  return readFileSync(join(base, name, 'data.db'), 'utf8');
}

describe('reading the slots', () => {
  test('the higher generation is the newer one, whichever slot it is in', async () => {
    await fill('data00', 'old', 8);
    await fill('data01', 'new', 9);
    expect(await slots()).toEqual(['data01 9', 'data00 8']);
    await fill('data00', 'newer', 10);
    expect(await slots()).toEqual(['data00 10', 'data01 9']);
  });

  test('slots that the Go program filled are ordered by when their files were written', async () => {
    await fill('data00', 'new');
    await fill('data01', 'old');
    utimesSync(join(base, 'data01', 'data.db'), 1000, 1000);
    expect(await slots()).toEqual(['data00 foreign', 'data01 foreign']);
    utimesSync(join(base, 'data00', 'data.db'), 500, 500);
    expect(await slots()).toEqual(['data01 foreign', 'data00 foreign']);
  });

  test('a slot of the Go program stays older than the one that was recovered beside it', async () => {
    await fill('data00', 'old');
    utimesSync(join(base, 'data00', 'data.db'), 10, 10);
    await fill('data01', 'new', 20);
    expect(await slots()).toEqual(['data01 20', 'data00 foreign']);
  });

  test('a slot that the Go program filled later, over a record of ours, is the newer one', async () => {
    await fill('data00', 'ours', 6);
    await fill('data01', 'also ours', 5);
    await fill('data01', 'of the Go program');
    expect(await slots()).toEqual(['data01 foreign', 'data00 6']);
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
    await fill('data00', 'a', 1);
    await fill('data01', 'b', 2);
    spoil(join(base, 'data01'));
    expect(await slots()).toEqual(['data00 1']);
  });

  test('a slot that cannot be read is told of, and the other one counts', async () => {
    await fill('data00', 'a', 1);
    mkdirSync(join(base, 'data01', 'data.db.md5'), { recursive: true });
    const onFault = vi.fn();
    expect(await readSlots(base, onFault)).toMatchObject([{ name: 'data00' }]);
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
    await fill('data00', 'a');
    writeFileSync(join(base, 'data00', 'generation.json'), text);
    expect(await slots()).toEqual(['data00 foreign']);
    expect(await newestGeneration(base)).toBe(0);
  });

  test('a generation number counts although its file is damaged or gone', async () => {
    await fill('data00', 'a', 3);
    await fill('data01', 'b', 4);
    rmSync(join(base, 'data01', 'data.db'));
    expect(await newestGeneration(base)).toBe(4);
  });
});

describe('preparing the slots', () => {
  test('makes the base folder and the slots, and leaves no probe behind', async () => {
    base = join(base, 'not', 'yet');
    await prepareSlots(base);
    expect(readdirSync(base)).toEqual(['data00', 'data01']);
    expect(readdirSync(join(base, 'data00'))).toEqual([]);
  });

  test('removes a copy that a crash left half done', async () => {
    await fill('data00', 'a', 1);
    writeFileSync(join(base, 'data00', 'data.db.incoming'), 'half');
    await prepareSlots(base);
    expect(readdirSync(join(base, 'data00'))).not.toContain('data.db.incoming');
    expect(await slots()).toEqual(['data00 1']);
  });

  test.each([
    ['', 'ENOTDIR'],
    ['data01', 'EEXIST'],
  ])('a file in the place of the folder "%s" is told in one line', async (name, code) => {
    const folder = join(base, 'base');
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

  test('a full disk is told as one', async () => {
    disk.set({ failAt: 2, code: 'ENOSPC' });
    await expect(prepareSlots(base)).rejects.toThrow(/\(ENOSPC at .*\): make room on that disk/);
  });
});

describe('installing', () => {
  /** Generation 2 serves from data00, generation 1 is in data01, which is to take generation 3. */
  async function ready(): Promise<ReturnType<typeof dropped>> {
    await fill('data00', 'two', 2);
    await fill('data01', 'one', 1);
    disk.set();
    return dropped('three');
  }

  function installThree(file: string, identity = identify(file)): Promise<void> {
    return install(base, 'data01', { file, identity, record: recordOf(3, 'three') });
  }

  test('moves the file into the slot, with its sum and its record', async () => {
    const { file } = await ready();
    const { ino } = statSync(file);
    await installThree(file);
    expect(await slots()).toEqual(['data01 3', 'data00 2']);
    expect(readdirSync(join(base, 'data01')).sort()).toEqual([
      'data.db',
      'data.db.md5',
      'generation.json',
    ]);
    expect(statSync(join(base, 'data01', 'data.db')).ino).toBe(ino);
    expect(existsSync(file)).toBe(false);
  });

  /** As `ready`, with a file that is moved, or one that must be copied. */
  async function readyFor(way: string): Promise<string> {
    const { file } = await ready();
    rmSync(join(dropFolder, 'other'), { force: true });
    if (way === 'copy') linkSync(file, join(dropFolder, 'other'));
    return file;
  }

  test.each(['move', 'copy'])(
    'a crash at any step of a %s leaves the serving generation newest, or the new one whole',
    async (way) => {
      await installThree(await readyFor(way));
      const steps = disk.steps;
      const seen = new Set<string>();
      for (let step = 1; step <= steps; step++) {
        rmSync(base, { recursive: true });
        const file = await readyFor(way);
        disk.set({ failAt: step, isCrash: true });
        await expect(installThree(file), `step ${step}`).rejects.toThrow('on purpose');
        disk.set();
        const found = await slots();
        seen.add(found.join());
        expect(served('data00')).toBe('two');
        if (found[0] === 'data01 3') {
          expect(served('data01'), `step ${step}`).toBe('three');
        } else {
          expect(found[0], `step ${step}`).toBe('data00 2');
          expect(readFileSync(file, 'utf8'), `step ${step}`).toBe('three');
        }
        await prepareSlots(base);
        if (existsSync(file)) await installThree(file);
        expect(await slots(), `step ${step}`).toEqual(['data01 3', 'data00 2']);
      }
      // Before the slot is cleared, and while it is.
      expect([...seen]).toEqual(['data00 2,data01 1', 'data00 2']);
    },
  );

  test.each(['move', 'copy'])(
    'after a fault at any step of a %s the drop is in its place and can be installed again',
    async (way) => {
      await installThree(await readyFor(way));
      const steps = disk.steps;
      for (let step = 1; step <= steps; step++) {
        rmSync(base, { recursive: true });
        const file = await readyFor(way);
        disk.set({ failAt: step, code: 'EIO' });
        await expect(installThree(file), `step ${step}`).rejects.toThrow('EIO');
        expect(readFileSync(file, 'utf8'), `step ${step}`).toBe('three');
        expect((await slots())[0], `step ${step}`).toBe('data00 2');
        const leftovers = readdirSync(join(base, 'data01')).filter((name) => /tmp|inc/.test(name));
        expect(leftovers, `step ${step}`).toEqual([]);
        await installThree(file);
        expect(await slots(), `step ${step}`).toEqual(['data01 3', 'data00 2']);
      }
    },
  );

  test('a symbolic link is not moved: what it leads to is copied and stays', async () => {
    const { file } = await ready();
    const target = join(dropFolder, 'release-3');
    renameSync(file, target);
    symlinkSync(target, file);
    await installThree(file);
    expect(served('data01')).toBe('three');
    expect(lstatSync(join(base, 'data01', 'data.db')).isSymbolicLink()).toBe(false);
    expect(readFileSync(target, 'utf8')).toBe('three');
  });

  test('a file with a second name is copied: that name could change it later', async () => {
    const { file } = await ready();
    const other = join(dropFolder, 'other');
    linkSync(file, other);
    await installThree(file);
    writeFileSync(other, 'changed later');
    expect(served('data01')).toBe('three');
  });

  test('a file on another file system is copied, or behind a link where there is none', async () => {
    const { file } = await ready();
    const elsewhere = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/goromdb-test-') : base;
    onTestFinished(() => rmSync(elsewhere, { recursive: true, force: true }));
    const source = join(elsewhere, 'data.json');
    if (statSync(elsewhere).dev === statSync(base).dev) symlinkSync(file, source);
    else writeFileSync(source, 'three');
    await installThree(source);
    expect(served('data01')).toBe('three');
    expect(readFileSync(source, 'utf8')).toBe('three');
    expect(await slots()).toEqual(['data01 3', 'data00 2']);
  });

  test.each(['EXDEV', 'EACCES', 'EROFS'])(
    'a move that ends with %s becomes a copy',
    async (code) => {
      const { file } = await ready();
      await installThree(file);
      const move = disk.steps;
      writeFileSync(file, 'three');
      disk.set({ failAt: move, code });
      await installThree(file);
      expect(served('data01')).toBe('three');
      expect(readFileSync(file, 'utf8')).toBe('three');
      expect(await slots()).toEqual(['data01 3', 'data00 2']);
    },
  );

  test('the old generation of the slot gives way to a copy on a full disk', async () => {
    const { file } = await ready();
    linkSync(file, join(dropFolder, 'other'));
    disk.set({ failAt: 1, code: 'ENOSPC' });
    await installThree(file);
    expect(await slots()).toEqual(['data01 3', 'data00 2']);
  });

  test('a copy stops when it is told to, and leaves nothing behind', async () => {
    const { file } = await ready();
    linkSync(file, join(dropFolder, 'other'));
    const drop = { file, identity: identify(file), record: recordOf(3, 'three') };
    const stopped = install(base, 'data01', drop, AbortSignal.abort());
    await expect(stopped).rejects.toMatchObject({ code: 'LOADER_FAILED' });
    expect(readdirSync(join(base, 'data01'))).not.toContain('data.db.incoming');
    expect(await slots()).toEqual(['data00 2', 'data01 1']);
  });

  test.each([
    ['written to', (file: string) => writeFileSync(file, 'other')],
    ['replaced', (file: string) => dropAnew(file, 'other')],
  ])('a file that was %s since it was verified stays in its place', async (_, change) => {
    const { file } = await ready();
    const identity = identify(file);
    change(file);
    await expect(installThree(file, identity)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    expect(readFileSync(file, 'utf8')).toBe('other');
    expect(await slots()).toEqual(['data00 2', 'data01 1']);
  });

  test('a file that is written to while it is copied stays in its place', async () => {
    const file = await readyFor('copy');
    disk.onStep = (what) => {
      if (what.startsWith('open')) writeFileSync(file, 'other');
    };
    await expect(installThree(file)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    expect(readFileSync(file, 'utf8')).toBe('other');
    expect(await slots()).toEqual(['data00 2', 'data01 1']);
  });

  test('a file that was replaced at the last moment, and moved in its stead, is put back', async () => {
    const { file } = await ready();
    disk.onStep = (what) => {
      if (what.startsWith(`rename ${file} to`)) dropAnew(file, 'other');
    };
    await expect(installThree(file)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    expect(readFileSync(file, 'utf8')).toBe('other');
    expect(await slots()).toEqual(['data00 2']);
  });

  test('a file that is gone since it was verified has changed', async () => {
    const { file } = await ready();
    const identity = identify(file);
    rmSync(file);
    await expect(installThree(file, identity)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
  });

  function dropAnew(file: string, content: string): void {
    writeFileSync(`${file}.part`, content);
    renameSync(`${file}.part`, file);
  }
});

describe('clearing the drop folder', () => {
  test('removes the file and its sum file', async () => {
    const drop = dropped('a');
    await removeDrop(drop, identify(drop.file));
    expect(readdirSync(dropFolder)).toEqual([]);
  });

  test('leaves a newer file of the producer and its sum', async () => {
    const drop = dropped('a');
    const identity = identify(drop.file);
    dropped('bb');
    await removeDrop(drop, identity);
    expect(readdirSync(dropFolder)).toEqual(['data.json', 'data.json.md5']);
  });

  test('leaves a newer sum file that waits for its file', async () => {
    const drop = dropped('a');
    writeFileSync(drop.sumFile, `${md5('b')}  data.json\n`);
    await removeDrop(drop, identify(drop.file));
    expect(readdirSync(dropFolder)).toEqual(['data.json.md5']);
  });

  test('sets a bad file aside with its sum', async () => {
    const drop = dropped('bad');
    await setAside(drop, identify(drop.file));
    expect(readdirSync(dropFolder)).toEqual(['data.json.rejected', 'data.json.rejected.md5']);
  });

  test('does not set a file aside that has taken the place of the bad one', async () => {
    const drop = dropped('bad');
    const identity = identify(drop.file);
    dropped('good');
    await expect(setAside(drop, identity)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    expect(readdirSync(dropFolder)).toEqual(['data.json', 'data.json.md5']);
  });

  test('sets a bad file aside without the sum that waits for the next file', async () => {
    const drop = dropped('bad');
    writeFileSync(drop.sumFile, `${md5('good')}  data.json\n`);
    await setAside(drop, identify(drop.file));
    expect(readdirSync(dropFolder)).toEqual(['data.json.md5', 'data.json.rejected']);
  });
});
