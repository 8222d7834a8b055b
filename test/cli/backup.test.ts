import {
  appendFileSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { backUp } from '../../src/cli/folders/backup.ts';
import { restore } from '../../src/cli/folders/restore.ts';
import { silentLogger } from '../../src/common/log.ts';
import { LoaderHarness, serving, version } from '../loader/loader-harness.ts';
import { md5 } from '../support/drop.ts';
import type { FaultyDisk } from '../support/faulty-disk.ts';
import { temporaryFolder } from '../support/folder.ts';
import { tableBytes } from '../support/table-bytes.ts';

const disk: FaultyDisk = await vi.hoisted(async () => {
  const { FaultyDisk: Disk } = await import('../support/faulty-disk.ts');
  return new Disk();
});
vi.mock('node:fs/promises', async (load) => disk.wrap(await load()));

const signal = new AbortController().signal;

function restoreTo(backup: string, base: string) {
  return restore(backup, base, { logger: silentLogger, signal });
}

/** Made by the first test that asks, copied for each. */
const TEMPLATE = mkdtempSync(join(tmpdir(), 'goromdb-test-'));
afterAll(() => rmSync(TEMPLATE, { recursive: true }));
let made: Promise<void> | undefined;

async function makeTemplate(): Promise<void> {
  const harness = await serving();
  await harness.end();
  cpSync(harness.base, join(TEMPLATE, 'base'), { recursive: true });
  await backUp(harness.base, join(TEMPLATE, 'backup'), signal);
}

/** A base folder that holds version 1 and, as the newest, version 2. */
async function twoVersions(): Promise<LoaderHarness> {
  made ??= makeTemplate();
  await made;
  const harness = new LoaderHarness();
  cpSync(join(TEMPLATE, 'base'), harness.base, { recursive: true });
  return harness;
}

/** A backup of version 2. */
async function someBackup(): Promise<string> {
  made ??= makeTemplate();
  await made;
  const target = join(temporaryFolder(), 'backup');
  cpSync(join(TEMPLATE, 'backup'), target, { recursive: true });
  return target;
}

/** Has a server start on a folder. */
async function startOn(base: string): Promise<LoaderHarness> {
  const harness = new LoaderHarness({ baseDir: base });
  await harness.start();
  return harness;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** Adds nothing but the sums of what lies in a backup now. */
async function sumAgain(backup: string): Promise<void> {
  const { createHash } = await import('node:crypto');
  const lines = readdirSync(join(backup, 'data00')).map((name) => {
    const content = readFileSync(join(backup, 'data00', name));
    return `${createHash('sha256').update(content).digest('hex')}  data00/${name}\n`;
  });
  writeFileSync(join(backup, 'SHA256SUMS'), lines.join(''));
}

describe('a backup', () => {
  it('holds the newest generation, and a server serves from it without a load', async () => {
    const { base } = await twoVersions();
    const target = join(temporaryFolder(), 'backup');
    const done = await backUp(base, target, signal);
    expect(done).toMatchObject({ slot: 'data01', warnings: [], record: { generation: 2 } });
    const copy = await startOn(target);
    expect(copy).toMatchObject({ value: '2', generation: 2 });
    expect(copy.logger.lines.join()).not.toMatch(/scan|anew/);
  });

  it('is of one generation each time, however fast a server swaps underneath', async () => {
    const harness = await serving();
    const folder = temporaryFolder();
    let isOver = false;
    const swaps = (async () => {
      for (let v = 3; v <= 25; v++) await harness.load(version(v));
    })().finally(() => {
      isOver = true;
    });
    const seen: number[] = [];
    while (!isOver) {
      const target = join(folder, String(seen.length));
      const { record, warnings } = await backUp(harness.base, target, signal);
      expect(warnings).toEqual([]);
      const { generation } = record;
      expect(readFileSync(join(target, 'data00/data.db'), 'utf8')).toBe(version(generation));
      seen.push(generation);
    }
    await swaps;
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(new Set(seen).size).toBeGreaterThan(1);
    // Nothing is left open that would hold the room of a slot that was replaced.
    const open = readdirSync('/proc/self/fd').map((fd) => linkOf(`/proc/self/fd/${fd}`));
    expect(
      open.filter((path) => path.startsWith(harness.base) && path.includes('data.db')),
    ).toEqual([]);
  });

  it('of a dropped table holds its bytes once, and is served after a restore also', async () => {
    const harness = new LoaderHarness({ scanner: 'auto' });
    await harness.start();
    await harness.load(await tableBytes([['v', 'table']]));
    const target = join(temporaryFolder(), 'backup');
    await backUp(harness.base, target, signal);
    const inodes = ['data.db', 'table.mdb'].map(
      (name) => statSync(join(target, 'data00', name)).ino,
    );
    expect(inodes[0]).toBe(inodes[1]);
    // Programs that copy files seldom keep that.
    const table = join(target, 'data00/table.mdb');
    writeFileSync(`${table}.copy`, readFileSync(table));
    renameSync(`${table}.copy`, table);
    const base = join(temporaryFolder(), 'base');
    await restoreTo(target, base);
    const restored = new LoaderHarness({ baseDir: base, scanner: 'auto' });
    await restored.start();
    expect(restored.value).toBe('table');
  });

  it('passes over a generation whose file or table is damaged, and says so', async () => {
    for (const name of ['data.db', 'table.mdb']) {
      const { base } = await twoVersions();
      const path = join(base, 'data01', name);
      const bytes = readFileSync(path);
      bytes[bytes.length - 1] ^= 1;
      if (name === 'table.mdb') bytes[0x13018] ^= 1;
      writeFileSync(path, bytes);
      const target = join(temporaryFolder(), 'backup');
      const { record, warnings } = await backUp(base, target, signal);
      expect(record.generation).toBe(1);
      expect(warnings).toEqual([
        expect.stringMatching(/^generation 2 in slot data01 is not sound/),
      ]);
    }
  });

  it('of nothing, or of a slot that has no table, is refused and makes nothing', async () => {
    const folder = temporaryFolder();
    const target = join(folder, 'backup');
    await expect(backUp(temporaryFolder(), target, signal)).rejects.toThrow(/nothing to back up$/);
    const { base } = await twoVersions();
    for (const slot of ['data00', 'data01']) rmSync(join(base, slot, 'table.mdb'));
    await expect(backUp(base, target, signal)).rejects.toThrow(/start a server on it/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('replaces nothing that has its name: no file, no folder, no link, not even an empty one', async () => {
    const { base } = await twoVersions();
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'folder'));
    writeFileSync(join(folder, 'file'), 'mine');
    symlinkSync('/nowhere', join(folder, 'link'));
    for (const name of ['folder', 'file', 'link']) {
      const attempt = backUp(base, join(folder, name), signal);
      await expect(attempt).rejects.toThrow(/is there already: expected a new name/);
    }
    await expect(backUp(base, join(folder, 'none/backup'), signal)).rejects.toThrow(
      /expected the folder .*none to be there/,
    );
    expect(readdirSync(folder).sort()).toEqual(['file', 'folder', 'link']);
  });

  it('that cannot be written, or is interrupted, leaves nothing', async () => {
    const { base } = await twoVersions();
    const folder = temporaryFolder();
    disk.set();
    await backUp(base, join(folder, 'whole'), signal);
    const { steps } = disk;
    expect(steps).toBeGreaterThan(5);
    for (let failAt = 1; failAt <= steps; failAt++) {
      disk.set({ failAt, code: 'ENOSPC' });
      await expect(backUp(base, join(folder, 'part'), signal)).rejects.toThrow(/nothing is left/);
      expect(readdirSync(folder), `step ${failAt}`).toEqual(['whole']);
    }
    disk.set();
    await expect(backUp(base, join(folder, 'part'), AbortSignal.abort())).rejects.toThrow(
      /it was interrupted; nothing is left of it$/,
    );
    expect(readdirSync(folder)).toEqual(['whole']);
  });
});

describe('a restore', () => {
  it('to a new folder keeps number and age of the generation', async () => {
    const backup = await someBackup();
    const base = join(temporaryFolder(), 'base');
    const { record } = await restoreTo(backup, base);
    const original = JSON.parse(readFileSync(join(backup, 'data00/generation.json'), 'utf8'));
    expect(record).toEqual(original);
    expect(await startOn(base)).toMatchObject({ value: '2', generation: 2 });
  });

  it('makes it the newest of a folder, and the newest before can be gone back to', async () => {
    const backup = await someBackup();
    const harness = await twoVersions();
    await harness.start();
    await harness.load(version(3));
    await harness.end();
    const { record } = await restoreTo(backup, harness.base);
    expect(record).toMatchObject({ generation: 4, restores: 2 });
    await harness.start();
    expect(harness.value).toBe('2');
    await harness.loader.rollback();
    expect(harness).toMatchObject({ value: '3', generation: 5 });
  });

  it('to the folder of a running server is refused', async () => {
    const backup = await someBackup();
    const base = temporaryFolder();
    const { Control } = await import('../../src/control/control.ts');
    const control = await Control.take(base, silentLogger);
    await expect(restoreTo(backup, base)).rejects.toMatchObject({ code: 'FOLDER_IN_USE' });
    await control.close();
    expect(readdirSync(base)).toEqual([]);
    await restoreTo(backup, base);
  });
});

describe('of a folder that is no backup, or no whole one, a restore changes nothing:', () => {
  const damages: Readonly<Record<string, (backup: string) => void | Promise<void>>> = {
    'an empty folder': (backup) => rmSync(backup, { recursive: true }),
    'no sums': (backup) => rmSync(join(backup, 'SHA256SUMS')),
    'sums cut short': (backup) => truncateSync(join(backup, 'SHA256SUMS'), 100),
    'sums of other files': (backup) =>
      appendFileSync(join(backup, 'SHA256SUMS'), `${'0'.repeat(64)}  ../../etc/passwd\n`),
    'endless sums': (backup) => {
      rmSync(join(backup, 'SHA256SUMS'));
      symlinkSync('/dev/zero', join(backup, 'SHA256SUMS'));
    },
    'a file that is missing': (backup) => rmSync(join(backup, 'data00/table.mdb')),
    'a file with another byte': (backup) => {
      const path = join(backup, 'data00/data.db');
      writeFileSync(path, readFileSync(path, 'utf8').replace('2', '3'));
    },
    'a record with other bytes': (backup) =>
      appendFileSync(join(backup, 'data00/generation.json'), ' '),
    'a link in the place of a file': (backup) => {
      const path = join(backup, 'data00/data.db');
      renameSync(path, join(backup, 'elsewhere'));
      symlinkSync('../elsewhere', path);
    },
    'a link in the place of the slot': (backup) => {
      renameSync(join(backup, 'data00'), join(backup, 'elsewhere'));
      symlinkSync('elsewhere', join(backup, 'data00'));
    },
    'a folder in the place of a file': (backup) => {
      rmSync(join(backup, 'data00/data.db'));
      mkdirSync(join(backup, 'data00/data.db'));
    },
    'a table that lies, with sums made for it': async (backup) => {
      const path = join(backup, 'data00/table.mdb');
      const bytes = readFileSync(path);
      bytes[0x13018 + 4] ^= 0x40;
      writeFileSync(path, bytes);
      await sumAgain(backup);
    },
    'a record of another file, with sums made for it': async (backup) => {
      const path = join(backup, 'data00/generation.json');
      const text = readFileSync(path, 'utf8').replace(md5(version(2)), md5(version(1)));
      writeFileSync(path, text);
      await sumAgain(backup);
    },
    'another file, with sums made for it': async (backup) => {
      writeFileSync(join(backup, 'data00/data.db'), version(3));
      await sumAgain(backup);
    },
  };

  it.each(Object.entries(damages))('%s', async (_, damage) => {
    const backup = await someBackup();
    await damage(backup);
    const harness = await twoVersions();
    const before = harness.slotFiles();
    await expect(restoreTo(backup, harness.base)).rejects.toThrow(/nothing was changed$/);
    expect(harness.slotFiles()).toEqual(before);
    await harness.start();
    expect(harness.value).toBe('2');
  });

  it('and a base folder that was made for it goes again; one that was there stays', async () => {
    const backup = await someBackup();
    writeFileSync(join(backup, 'data00/data.db'), 'x');
    const parent = temporaryFolder();
    const base = join(parent, 'base');
    await expect(restoreTo(backup, base)).rejects.toThrow('nothing was changed');
    expect(readdirSync(parent)).toEqual([]);
    mkdirSync(base);
    await expect(restoreTo(backup, base)).rejects.toThrow('nothing was changed');
    expect(readdirSync(parent)).toEqual(['base']);
  });

  it('but other files beside its own do no harm, and are not copied', async () => {
    const backup = await someBackup();
    writeFileSync(join(backup, 'data00/foreign'), 'x');
    symlinkSync('/etc/passwd', join(backup, 'link'));
    linkSync(join(backup, 'data00/data.db'), join(backup, 'again'));
    const base = join(temporaryFolder(), 'base');
    await restoreTo(backup, base);
    expect(readdirSync(join(base, 'data00')).sort()).toEqual([
      ...['data.db', 'data.db.md5', 'generation.json', 'table.mdb'],
    ]);
    // The backup stays what it was.
    await restoreTo(backup, join(temporaryFolder(), 'base'));
  });
});
