/** What somebody can do to a server who may write to its drop folder, and no more. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

const SECRET = 'the secret of another user';

let folder: string;
let file: string;
/** What is none of the producer's. */
let victim: string;
beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder, 'data.db');
  victim = join(temporaryFolder(), 'victim');
  writeFileSync(victim, SECRET, { mode: 0o600 });
});

function start(...flags: string[]): GoromdbProcess {
  return new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', file, ...flags]);
}

/** Whether the file that is none of the producer's is as it was, and alone. */
function expectUntouched(): void {
  expect(readFileSync(victim, 'utf8')).toBe(SECRET);
  expect(statSync(victim).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(victim, '..'))).toEqual(['victim']);
}

/** Puts a socket at a path that nobody listens on. */
async function leaveSocket(path: string): Promise<void> {
  const server = net.createServer();
  const short = mkdtempSync('/tmp/s-');
  await new Promise<void>((resolve) => server.listen(join(short, 's'), resolve));
  renameSync(join(short, 's'), path);
  await new Promise((resolve) => server.close(resolve));
  rmSync(short, { recursive: true });
}

const PLANTS: Record<string, (path: string) => void | Promise<void>> = {
  link: (path) => symlinkSync(victim, path),
  'hard link': (path) => linkSync(victim, path),
  'link to nothing': (path) => symlinkSync(join(victim, '..', 'made'), path),
  FIFO: (path) => void execFileSync('mkfifo', [path]),
  folder: (path) => {
    mkdirSync(path);
    writeFileSync(join(path, 'x'), '');
  },
  socket: leaveSocket,
};

/** All names in the drop folder, and in a base folder that is the same, that the server may open. */
const NAMES = [
  ...['data.db.force', 'data.db.status.json', 'data.db.status.json.tmp'],
  ...['data.db.rejected', 'data.db.rejected.md5'],
  ...['control.sock', 'events.json', 'events.json.tmp'],
  // Of an earlier version.
  ...['unpacked.tmp', 'sorted.tmp'],
];

/** The names in a slot. */
const SLOT_NAMES = [
  ...['data.db', 'data.db.incoming', 'data.db.md5', 'data.db.md5.tmp'],
  ...['generation.json', 'generation.json.tmp', '.writable', '.writable.tmp'],
  ...['table.mdb', 'table.mdb.incoming', 'map.mdb'],
];

describe('at all names that a server uses', () => {
  const compressed = gzipSync(
    readFileSync(new URL('../../fixtures/lmdb/v1-plain.mdb', import.meta.url)),
  );

  test.each(Object.keys(PLANTS))('a %s stops no load and leads nowhere', async (kind) => {
    for (const name of NAMES) await PLANTS[kind](join(folder, name));
    const server = start();
    await server.address();
    expect(/there is no control socket/.test(server.stderr)).toBe(kind !== 'socket');
    drop(file, '{"k":"1"}');
    await server.says(/generation 1 serves/);
    drop(file, compressed);
    await server.says(/generation 2 serves/);
    drop(file, '[]');
    await server.says(/rejected .*data\.db/);
    drop(file, '{"k":"3"}');
    await server.says(/generation 3 serves/);
    expectUntouched();
    expect(await server.kill('SIGTERM')).toBe(0);
    const again = start();
    await again.says(/generation 3 serves/);
    expectUntouched();
  });

  test.each(['link', 'hard link', 'link to nothing', 'FIFO', 'socket'])(
    'of a slot, a %s is replaced and leads nowhere',
    async (kind) => {
      for (const slot of ['data00', 'data01']) {
        mkdirSync(join(folder, slot));
        for (const name of SLOT_NAMES) await PLANTS[kind](join(folder, slot, name));
      }
      const server = start();
      for (const n of [1, 2, 3]) {
        if (n === 1) await server.address();
        drop(file, `{"k":"${n}"}`);
        await server.says(new RegExp(`generation ${n} serves`));
      }
      expectUntouched();
    },
  );
});

test.each([
  ['a link to itself', (): void => symlinkSync('data.db', file)],
  [
    'a volume that leads to itself',
    (): void => {
      symlinkSync('..data', join(folder, '..data'));
      symlinkSync('..data/data.db', file);
    },
  ],
  ['a link through a file', (): void => symlinkSync('/etc/passwd/x', file)],
])(
  '%s in the place of the dropped file does not keep a start from what is in the slots',
  async (_, plant) => {
    const server = start();
    await server.address();
    drop(file, '{"k":"1"}');
    await server.says(/generation 1 serves/);
    await server.kill('SIGKILL');
    plant();
    const again = start();
    await again.address();
    await again.says(/generation 1 serves/);
    await again.says(/warn .*data\.db: expected a regular file/);
    rmSync(file);
    drop(file, '{"k":"2"}');
    await again.says(/generation 2 serves/);
  },
);

describe('a base folder that others may write to', () => {
  test.each([
    [0o777, 'everybody'],
    [0o1777, 'everybody'],
    [0o770, 'group'],
  ])('of mode %o is warned of at each start', async (mode, who) => {
    chmodSync(folder, mode);
    const server = start();
    await server.address();
    expect(server.stderr).toMatch(
      new RegExp(`warn ${folder} may be written to by .*${who}.*-basedir`),
    );
  });

  test('is not warned of when it is this user alone who may', async () => {
    const server = start();
    await server.address();
    expect(server.stderr).not.toContain('may be written to by');
  });

  test('and in which a slot is a link is refused, and nothing is written where it leads', async () => {
    chmodSync(folder, 0o1777);
    const elsewhere = temporaryFolder();
    symlinkSync(elsewhere, join(folder, 'data00'));
    const server = start();
    expect(await server.exit()).toBe(1);
    expect(server.stderr).toMatch(
      /data00 to be a folder of this server's user; found .* not a folder/,
    );
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  test('and in which a slot has become a link takes no file, and serves what it has', async () => {
    chmodSync(folder, 0o777);
    const server = start();
    await server.address();
    drop(file, '{"k":"1"}');
    await server.says(/generation 1 serves/);
    const elsewhere = temporaryFolder();
    rmSync(join(folder, 'data01'), { recursive: true });
    symlinkSync(elsewhere, join(folder, 'data01'));
    drop(file, '{"k":"2"}');
    await server.says(/error Loading .*data01 to be a folder of this server's user/);
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(existsSync(file)).toBe(true);
  });

  test('may have slots that are links where only this user may write', async () => {
    const elsewhere = temporaryFolder();
    symlinkSync(elsewhere, join(folder, 'data00'));
    const server = start();
    await server.address();
    drop(file, '{"k":"1"}');
    await server.says(/generation 1 serves/);
    expect(existsSync(join(elsewhere, 'data.db'))).toBe(true);
  });
});

describe('a link to what the producer may not read', () => {
  const receipt = (): string => readFileSync(`${file}.status.json`, 'utf8');

  test('shows nothing in receipt, log and status when its MD5 is wrong', async () => {
    const server = start();
    await server.address();
    symlinkSync(victim, file);
    writeFileSync(`${file}.md5`, `${'0'.repeat(32)}\n`);
    await server.says(/SUM_MISMATCH/);
    const command = ['bin/goromdb.js', 'status', '-basedir', folder, '-json'];
    const { stdout: status } = spawnSync(process.execPath, command, { encoding: 'utf8' });
    expect(status).toContain('SUM_MISMATCH');
    for (const text of [receipt(), server.stderr, status]) {
      expect(text).not.toMatch(new RegExp(`${md5(SECRET)}|secret`));
    }
  });

  test('shows nothing when it is a sum file that leads there', async () => {
    const token = 'c0ffee00c0ffee00c0ffee00c0ffee00';
    writeFileSync(victim, token);
    const server = start();
    await server.address();
    writeFileSync(file, '{}');
    symlinkSync(victim, `${file}.md5`);
    await server.says(/SUM_MISMATCH/);
    expect(`${receipt()}${server.stderr}`).not.toContain(token);
  });
});
