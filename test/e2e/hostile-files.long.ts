import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import {
  fixture,
  type HostileFile,
  hostileGzip,
  hostileJson,
  hostileLmdb,
} from '../support/hostile-files.ts';
import { TextClient } from '../support/text-client.ts';

const MIB = 1024 * 1024;
/** Node itself takes some 100 MB with its threads, and a hostile value is held until it is refused. */
const RESIDENT_BYTES_MAX = 704 * MIB;

/** The most memory that a process has had, in bytes; 0 on other systems than Linux. */
function residentBytesMax(pid: number): number {
  const status = `/proc/${pid}/status`;
  if (!existsSync(status)) return 0;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1] ?? 0) * 1024;
}

/**
 * Drops each file while a client holds a connection, and expects it to be quarantined with one line
 * that says why, and the good generation to keep serving as if nothing had happened.
 */
async function dropAll(
  storage: readonly string[],
  good: Buffer,
  key: string,
  files: readonly HostileFile[],
): Promise<void> {
  const file = join(temporaryFolder(), 'data.db');
  const flags = ['-addr', '127.0.0.1:0', '-storage', ...storage];
  const goromdb = new GoromdbProcess([...flags, '-file', file]);
  const client = await TextClient.connect(await goromdb.address());
  onTestFinished(() => client.close());
  drop(file, good);
  await goromdb.says(/generation 1 serves from slot data00/);
  const [before] = await client.get([key], 'gets');
  expect(before.cas).toBe(1);

  const refusals = (): string[] => goromdb.stderr.match(/^\S+ (?:warn|error) .*$/gm) ?? [];
  for (const [at, [name, content, reason]] of files.entries()) {
    drop(file, content);
    await expect.poll(() => refusals().length, { message: name }).toBe(at + 1);
    const line = refusals()[at];
    expect(line, name).toContain(` error rejected ${file}: `);
    expect(line, name).toMatch(reason);
    expect(line, name).toContain(
      `; quarantined as ${file}.rejected; generation 1 from ${join(file, '../data00/data.db')} keeps serving`,
    );
    expect(readFileSync(`${file}.rejected`).equals(Buffer.from(content)), name).toBe(true);
    expect([file, `${file}.md5`].filter(existsSync), name).toEqual([]);
    expect(await client.get([key], 'gets'), name).toEqual([before]);
    rmSync(`${file}.rejected`);
  }
  expect(refusals()).toHaveLength(files.length);
  expect(residentBytesMax(goromdb.child.pid!)).toBeLessThan(RESIDENT_BYTES_MAX);

  // Without the mark, the file that serves already would not be loaded again.
  writeFileSync(`${file}.force`, '');
  drop(file, good);
  await goromdb.says(/generation 2 serves from slot data01/);
  const [after] = await client.get([key], 'gets');
  expect(after).toEqual({ ...before, cas: 2 });
  expect(await goromdb.kill('SIGTERM')).toBe(0);
}

test('the server outlives hostile JSON files and takes the next good one', async () => {
  await dropAll(['json'], fixture('sample/cities-v1.json'), 'city:paris', hostileJson());
});

test('the server outlives hostile gzip files and takes the next good one', async () => {
  const good = gzipSync(fixture('sample/cities-v1.json'));
  await dropAll(['json', '-gzipped'], good, 'city:paris', await hostileGzip());
});

test.each(['v1', 'v2'])(
  'the server outlives hostile LMDB files in the %s format and takes the next good one',
  async (format) => {
    const good = fixture(`lmdb/${format}-plain.mdb`);
    await dropAll(['lmdb'], good, 'key-00277', hostileLmdb(format));
  },
);
