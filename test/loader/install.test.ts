import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { FileIdentity } from '../../src/common/file-identity.ts';
import { quarantine, removeDrop } from '../../src/loader/drops/drop-offer.ts';
import { prepareSlots } from '../../src/loader/slots/base-folder.ts';
import { install } from '../../src/loader/slots/install.ts';
import { md5 } from '../support/drop.ts';
import type { FaultyDisk } from '../support/faulty-disk.ts';
import { temporaryFolder } from '../support/folder.ts';
import { BaseFolder, identify, recordOf } from './base-folder.ts';

const shared = vi.hoisted(() => ({ disk: undefined as FaultyDisk | undefined }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const { FaultyDisk } = await import('../support/faulty-disk.ts');
  shared.disk = new FaultyDisk();
  return shared.disk.wrap(await importOriginal());
});

let base: BaseFolder;
let dropFolder: string;
let disk: FaultyDisk;
beforeEach(() => {
  disk = shared.disk!;
  disk.set();
  base = new BaseFolder();
  dropFolder = temporaryFolder();
});

function dropped(content: string): {
  file: string;
  sumFile: string;
  md5: string;
  identity: FileIdentity;
} {
  const file = join(dropFolder, 'data.json');
  writeFileSync(file, content);
  writeFileSync(`${file}.md5`, `${md5(content)}  data.json\n`);
  return { file, sumFile: `${file}.md5`, md5: md5(content), identity: identify(file) };
}

describe('installing', () => {
  /** Generation 2 serves from data00, generation 1 is in data01, which is to take generation 3. */
  async function ready(): Promise<ReturnType<typeof dropped>> {
    await base.fill('data00', 'two', 2);
    await base.fill('data01', 'one', 1);
    base.bringTable('data01');
    disk.set();
    return dropped('three');
  }

  function installThree(file: string, identity = identify(file)): Promise<void> {
    return install(base.path, 'data01', { file, identity, record: recordOf(3, 'three') });
  }

  test('moves the file into the slot, with its sum file and its record', async () => {
    const { file } = await ready();
    const { ino } = statSync(file);
    await installThree(file);
    expect(await base.slots()).toEqual(['data01 3', 'data00 2']);
    expect(readdirSync(join(base.path, 'data01')).sort()).toEqual([
      'data.db',
      'data.db.md5',
      'generation.json',
      'table.mdb',
    ]);
    expect(statSync(join(base.path, 'data01', 'data.db')).ino).toBe(ino);
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
        rmSync(base.path, { recursive: true });
        const file = await readyFor(way);
        disk.set({ failAt: step, isCrash: true });
        await expect(installThree(file), `step ${step}`).rejects.toThrow('on purpose');
        disk.set();
        const found = await base.slots();
        seen.add(found.join());
        expect(base.content('data00')).toBe('two');
        if (found[0] === 'data01 3') {
          expect(base.content('data01'), `step ${step}`).toBe('three');
        } else {
          expect(found[0], `step ${step}`).toBe('data00 2');
          expect(readFileSync(file, 'utf8'), `step ${step}`).toBe('three');
        }
        await prepareSlots(base.path);
        base.bringTable('data01');
        if (existsSync(file)) await installThree(file);
        expect(await base.slots(), `step ${step}`).toEqual(['data01 3', 'data00 2']);
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
        rmSync(base.path, { recursive: true });
        const file = await readyFor(way);
        disk.set({ failAt: step, code: 'EIO' });
        await expect(installThree(file), `step ${step}`).rejects.toThrow('EIO');
        expect(readFileSync(file, 'utf8'), `step ${step}`).toBe('three');
        expect((await base.slots())[0], `step ${step}`).toBe('data00 2');
        const leftovers = readdirSync(join(base.path, 'data01')).filter((name) =>
          /tmp|inc/.test(name),
        );
        expect(leftovers, `step ${step}`).toEqual([]);
        base.bringTable('data01');
        await installThree(file);
        expect(await base.slots(), `step ${step}`).toEqual(['data01 3', 'data00 2']);
      }
    },
  );

  test('a symbolic link is not moved: what it leads to is copied and stays', async () => {
    const { file } = await ready();
    const target = join(dropFolder, 'release-3');
    renameSync(file, target);
    symlinkSync(target, file);
    await installThree(file);
    expect(base.content('data01')).toBe('three');
    expect(lstatSync(join(base.path, 'data01', 'data.db')).isSymbolicLink()).toBe(false);
    expect(readFileSync(target, 'utf8')).toBe('three');
  });

  test.each([0o600, 0o640])(
    'nobody may read a copy who may not read the file: mode %o',
    async (mode) => {
      const { file } = await ready();
      linkSync(file, join(dropFolder, 'other'));
      chmodSync(file, mode);
      await installThree(file);
      expect(statSync(join(base.path, 'data01', 'data.db')).mode & 0o777).toBe(mode);
    },
  );

  test('a file with a second name is copied: that name could change it later', async () => {
    const { file } = await ready();
    const other = join(dropFolder, 'other');
    linkSync(file, other);
    await installThree(file);
    writeFileSync(other, 'changed later');
    expect(base.content('data01')).toBe('three');
  });

  test('a link that leads to another file while it is copied, and back after, is not copied', async () => {
    const { file } = await ready();
    const [target, secret] = ['target', 'secret'].map((name) => join(dropFolder, name));
    renameSync(file, target);
    writeFileSync(secret, 'secret');
    const lead = (to: string): void => {
      rmSync(file, { force: true });
      symlinkSync(to, file);
    };
    lead(target);
    const identity = identify(file);
    lead(secret);
    disk.onStep = (what) => {
      if (what.startsWith('open ')) lead(target);
    };
    await expect(installThree(file, identity)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    expect(await base.slots()).toContain('data00 2');
  });

  test('a file on another file system is copied, or behind a link where there is none', async () => {
    const { file } = await ready();
    const elsewhere = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/goromdb-test-') : base.path;
    onTestFinished(() => rmSync(elsewhere, { recursive: true, force: true }));
    const source = join(elsewhere, 'data.json');
    if (statSync(elsewhere).dev === statSync(base.path).dev) symlinkSync(file, source);
    else writeFileSync(source, 'three');
    await installThree(source);
    expect(base.content('data01')).toBe('three');
    expect(readFileSync(source, 'utf8')).toBe('three');
    expect(await base.slots()).toEqual(['data01 3', 'data00 2']);
  });

  test.each(['EXDEV', 'EACCES', 'EROFS', 'EBUSY'])(
    'a move that ends with %s becomes a copy',
    async (code) => {
      const { file } = await ready();
      await installThree(file);
      const move = disk.steps;
      writeFileSync(file, 'three');
      base.bringTable('data01');
      disk.set({ failAt: move, code });
      await installThree(file);
      expect(base.content('data01')).toBe('three');
      expect(readFileSync(file, 'utf8')).toBe('three');
      expect(await base.slots()).toEqual(['data01 3', 'data00 2']);
    },
  );

  test('the old generation of the slot gives way to a copy on a full disk', async () => {
    const { file } = await ready();
    linkSync(file, join(dropFolder, 'other'));
    disk.set({ failAt: 1, code: 'ENOSPC' });
    await installThree(file);
    expect(await base.slots()).toEqual(['data01 3', 'data00 2']);
  });

  test('a copy stops when it is aborted, and leaves nothing behind', async () => {
    const { file } = await ready();
    linkSync(file, join(dropFolder, 'other'));
    const drop = { file, identity: identify(file), record: recordOf(3, 'three') };
    const stopped = install(base.path, 'data01', drop, AbortSignal.abort());
    await expect(stopped).rejects.toMatchObject({ code: 'LOADER_FAILED' });
    expect(readdirSync(join(base.path, 'data01'))).not.toContain('data.db.incoming');
    expect(await base.slots()).toEqual(['data00 2', 'data01 1']);
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
    expect(await base.slots()).toEqual(['data00 2', 'data01 1']);
  });

  test('a file that is written to while it is copied stays in its place', async () => {
    const file = await readyFor('copy');
    disk.onStep = (what) => {
      if (what.startsWith('open')) writeFileSync(file, 'other');
    };
    await expect(installThree(file)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    expect(readFileSync(file, 'utf8')).toBe('other');
    expect(await base.slots()).toEqual(['data00 2', 'data01 1']);
  });

  test('a file that was replaced at the last moment, and moved in its stead, is put back', async () => {
    const { file } = await ready();
    disk.onStep = (what) => {
      if (what.startsWith(`rename ${file} to`)) dropAnew(file, 'other');
    };
    await expect(installThree(file)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    expect(readFileSync(file, 'utf8')).toBe('other');
    expect(await base.slots()).toEqual(['data00 2']);
  });

  test('a link to the file that was verified, moved in its stead, is put back', async () => {
    const { file } = await ready();
    const aside = join(dropFolder, 'aside');
    disk.onStep = (what) => {
      if (!what.startsWith(`rename ${file} to`)) return;
      renameSync(file, aside);
      symlinkSync(aside, file);
    };
    await expect(installThree(file)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(await base.slots()).toEqual(['data00 2']);
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
    await removeDrop(drop);
    expect(readdirSync(dropFolder)).toEqual([]);
  });

  test('leaves a newer file of the producer and its sum file', async () => {
    const drop = dropped('a');
    dropped('bb');
    await removeDrop(drop);
    expect(readdirSync(dropFolder)).toEqual(['data.json', 'data.json.md5']);
  });

  test('leaves a newer sum file that waits for its file', async () => {
    const drop = dropped('a');
    writeFileSync(drop.sumFile, `${md5('b')}  data.json\n`);
    await removeDrop(drop);
    expect(readdirSync(dropFolder)).toEqual(['data.json.md5']);
  });

  test('quarantines a bad file with its sum file', async () => {
    const drop = dropped('bad');
    await quarantine(drop);
    expect(readdirSync(dropFolder)).toEqual(['data.json.rejected', 'data.json.rejected.md5']);
  });

  test('does not quarantine a file that has taken the place of the bad one', async () => {
    const drop = dropped('bad');
    dropped('good');
    await expect(quarantine(drop)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    expect(readdirSync(dropFolder)).toEqual(['data.json', 'data.json.md5']);
  });

  test('quarantines a bad file without the sum file that waits for the next file', async () => {
    const drop = dropped('bad');
    writeFileSync(drop.sumFile, `${md5('good')}  data.json\n`);
    await quarantine(drop);
    expect(readdirSync(dropFolder)).toEqual(['data.json.md5', 'data.json.rejected']);
  });
});
