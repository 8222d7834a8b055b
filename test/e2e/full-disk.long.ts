import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { loadsAreDone } from '../support/loads.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { TextClient } from '../support/text-client.ts';

const DISK_BYTES = 1024 * 1024;

/** Looks at which a disk was full, in a row, until it is taken for full. */
const FULL_LOOKS = 5;

/**
 * Leaves no room at all on a disk, whatever else is written there meanwhile. What a server that has
 * just swapped still removes is filled too.
 */
async function fill(path: string): Promise<string> {
  const filler = join(path, 'filler');
  for (let looks = 0; looks < FULL_LOOKS; looks++) {
    if (fillOnce(path, filler)) looks = 0;
    await delay(20);
  }
  return filler;
}

/** @returns Whether there was room. */
function fillOnce(path: string, filler: string): boolean {
  const before = existsSync(filler) ? statSync(filler).size : 0;
  const page = Buffer.alloc(statfsSync(path).bsize);
  try {
    for (;;) appendFileSync(filler, page);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
  return statSync(filler).size > before;
}

async function read(address: Address): Promise<string | undefined> {
  const client = await TextClient.connect(address);
  const [hit] = await client.get(['v']);
  client.close();
  return hit?.value.toString();
}

function start(file: string, base: string): GoromdbProcess {
  return new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', file, '-basedir', base]);
}

describe('a full disk', () => {
  test('takes no file and loses none, and a restart keeps serving; with room, the file is taken', async (context) => {
    const base = mountSmallDisk(context, DISK_BYTES);
    const file = join(temporaryFolder(), 'data.json');
    const first = start(file, base);
    const address = await first.address();
    drop(file, '{"v":"1"}');
    await first.says(/generation 1 serves/);
    const filler = await fill(base);
    drop(file, '{"v":"2"}');
    await first.says(
      /Loading .* failed: expected .* of free space for the slot .*Nothing was changed: the drop stays/,
    );
    expect(await read(address)).toBe('1');
    expect(readFileSync(file, 'utf8')).toBe('{"v":"2"}');
    await first.kill('SIGKILL');

    const second = start(file, base);
    expect(await read(await second.address())).toBe('1');
    await second.says(/Loading .* failed: expected .* of free space for the slot/);
    rmSync(filler);
    await second.kill('SIGHUP');
    await second.says(/generation 2 serves/);
    expect(await read(await second.address())).toBe('2');
  });

  test('refuses a rollback and says what to do; with room, it is made', async (context) => {
    const base = mountSmallDisk(context, DISK_BYTES);
    const file = join(temporaryFolder(), 'data.json');
    const goromdb = start(file, base);
    const address = await goromdb.address();
    for (const v of [1, 2]) {
      drop(file, `{"v":"${v}"}`);
      await goromdb.says(new RegExp(`generation ${v} serves`));
    }
    await loadsAreDone(address, 2);
    const filler = await fill(base);
    const refused = new GoromdbProcess(['rollback', '-basedir', base]);
    expect(await refused.exit()).toBe(1);
    expect(refused.stderr).toMatch(
      /^goromdb: there is no rollback: the record of slot data00 cannot be written \(ENOSPC.*\): make room/,
    );
    expect(await read(address)).toBe('2');
    rmSync(filler);
    expect(await new GoromdbProcess(['rollback', '-basedir', base]).exit()).toBe(0);
    expect(await read(address)).toBe('1');
  });

  test('of the drop folder costs the receipt, and no data', async (context) => {
    const drops = mountSmallDisk(context, DISK_BYTES);
    const file = join(drops, 'data.json');
    const goromdb = start(file, temporaryFolder());
    const address = await goromdb.address();
    // The sum comes last, and takes the last room there is.
    writeFileSync(file, '{"v":"1"}');
    writeFileSync(`${file}.md5.part`, `${md5('{"v":"1"}')}\n`);
    await fill(drops);
    renameSync(`${file}.md5.part`, `${file}.md5`);
    await goromdb.says(/generation 1 serves/);
    expect(await read(address)).toBe('1');
    await goromdb.says(/ warn the receipt .* cannot be written \(ENOSPC/);
  });
});

test('a base folder on a read-only file system is served from, and takes no file', async (context) => {
  const base = mountSmallDisk(context, DISK_BYTES);
  const file = join(temporaryFolder(), 'data.json');
  const first = start(file, base);
  await first.address();
  drop(file, '{"v":"1"}');
  await first.says(/generation 1 serves/);
  await first.kill('SIGTERM');
  execFileSync('mount', ['-o', 'remount,ro', base]);
  const second = start(file, base);
  const address = await second.address();
  expect(second.stderr).toMatch(
    / error cannot write in the base folder .*EROFS.*what the slots hold is served/,
  );
  expect(await read(address)).toBe('1');
  drop(file, '{"v":"2"}');
  await second.says(/Loading .* failed: /);
  expect(existsSync(file)).toBe(true);
  // It could make no control socket, so it cannot be asked what it serves.
  const status = new GoromdbProcess(['status', '-basedir', base]);
  expect(await status.exit()).toBe(1);
  expect(status.stdout).toMatch(
    new RegExp(
      `^a server runs here \\(pid ${second.child.pid} on .*\\), and has no control socket`,
    ),
  );
  execFileSync('mount', ['-o', 'remount,rw', base]);
  await second.kill('SIGHUP');
  await second.says(/generation 2 serves/);
});

test('a drop that cannot be removed is taken once, and does not undo a rollback at a restart', async (context) => {
  const drops = mountSmallDisk(context, DISK_BYTES);
  const file = join(drops, 'data.json');
  const base = temporaryFolder();
  const first = start(file, base);
  await first.address();
  drop(file, '{"v":"1"}');
  await first.says(/generation 1 serves/);
  await first.kill('SIGTERM');
  drop(file, '{"v":"2"}');
  execFileSync('mount', ['-o', 'remount,ro', drops]);
  const second = start(file, base);
  await second.says(/is taken, but cannot be removed \(.*EROFS/);
  await second.says(/generation 2 serves/);
  const address = await second.address();
  await loadsAreDone(address, 1);
  expect(await new GoromdbProcess(['rollback', '-basedir', base]).exit()).toBe(0);
  expect(await read(address)).toBe('1');
  await second.kill('SIGKILL');
  const third = start(file, base);
  await third.says(/was taken as generation 2, and is not loaded again/);
  expect(await read(await third.address())).toBe('1');
  // Written anew it is another drop.
  execFileSync('mount', ['-o', 'remount,rw', drops]);
  drop(file, '{"v":"2"}');
  await third.says(/generation 4 serves/);
  expect(await read(await third.address())).toBe('2');
});

test('a drop folder that is unmounted and mounted again is watched again', async (context) => {
  const drops = mountSmallDisk(context, DISK_BYTES);
  const file = join(drops, 'data.json');
  const base = temporaryFolder();
  const goromdb = new GoromdbProcess([
    ...['-addr', '127.0.0.1:0', '-file', file, '-basedir', base, '-rescan', '50ms'],
  ]);
  const address = await goromdb.address();
  drop(file, '{"v":"1"}');
  await goromdb.says(/generation 1 serves/);
  execFileSync('umount', ['-l', drops]);
  // Under the mount point lies another folder, which may hold something else.
  drop(file, '{"v":"2"}');
  await goromdb.says(/generation 2 serves/);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', drops]);
  drop(file, '{"v":"3"}');
  await goromdb.says(/generation 3 serves/);
  expect(await read(address)).toBe('3');
});
