import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { VERSION } from '../../src/common/version.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { waitFor } from '../support/patience.ts';
import { RawClient } from '../support/raw-client.ts';
import { TextClient } from '../support/text-client.ts';

const ANY = ['-addr', '127.0.0.1:0'];

let folder: string;
let file: string;
beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder, 'data.json');
});

async function connect(address: Address): Promise<TextClient> {
  const client = await TextClient.connect(address);
  onTestFinished(() => client.close());
  return client;
}

async function read(address: Address, key: string): Promise<string | undefined> {
  const client = await TextClient.connect(address);
  const [hit] = await client.get([key]);
  client.close();
  return hit?.value.toString();
}

async function statOf(address: Address, name: string): Promise<number> {
  const client = await TextClient.connect(address);
  const stats = await client.stats();
  client.close();
  return Number(stats[name]);
}

/** The lines of standard error, without the one of the start. */
function linesOf(goromdb: GoromdbProcess): string[] {
  const lines = goromdb.stderr.split('\n').slice(0, -1);
  return lines.filter((line) => !/^\S+ info goromdb \S+ starts, pid /.test(line));
}

async function expectOneLine(goromdb: GoromdbProcess, line: RegExp): Promise<void> {
  expect(await goromdb.exit()).toBe(1);
  expect(linesOf(goromdb)).toEqual([expect.stringMatching(line)]);
  expect(goromdb.stdout).toBe('');
}

describe('without a server', () => {
  test.each(['-help', '--help', '-h'])('%s prints the flags and ends with 0', async (flag) => {
    const goromdb = new GoromdbProcess([flag]);
    expect(await goromdb.exit()).toBe(0);
    expect(goromdb.stdout).toMatch(/^Usage: goromdb -file PATH/);
    expect(goromdb.stderr).toBe('');
  });

  test('-version prints the version and ends with 0', async () => {
    const goromdb = new GoromdbProcess(['-version']);
    expect(await goromdb.exit()).toBe(0);
    expect(goromdb.stdout).toBe(`goromdb ${VERSION}\n`);
  });

  test('a wrong flag is named, and the end is 2', async () => {
    const goromdb = new GoromdbProcess(['-fil', file]);
    expect(await goromdb.exit()).toBe(2);
    expect(goromdb.stdout).toBe('');
    expect(linesOf(goromdb)).toEqual([
      'goromdb: unknown flag -fil; did you mean -file?',
      "Run 'goromdb -help' for all flags.",
    ]);
  });
});

describe('a start that cannot succeed says why in one line and ends with 1', () => {
  test('when the port is in use', async () => {
    const other = net.createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as net.AddressInfo;
    for (const command of [['-file', file], ['serve']]) {
      const goromdb = new GoromdbProcess([...command, '-addr', `127.0.0.1:${port}`]);
      const line = `^goromdb: cannot listen on 127.0.0.1:${port}: another program listens there; .* -addr$`;
      await expectOneLine(goromdb, new RegExp(line));
    }
  });

  test('when the base folder cannot be used', async () => {
    writeFileSync(join(folder, 'base'), '');
    const goromdb = new GoromdbProcess([...ANY, '-file', file, '-basedir', join(folder, 'base')]);
    await expectOneLine(goromdb, /^goromdb: cannot write in the base folder .*-basedir$/);
  });

  test('when there is no room for the temporary files of serve', async () => {
    vi.stubEnv('TMPDIR', join(folder, 'none'));
    onTestFinished(() => void vi.unstubAllEnvs());
    await expectOneLine(
      new GoromdbProcess(['serve', ...ANY]),
      /^goromdb: cannot make a temporary folder in .*none, which TMPDIR chooses: it does not exist: .* \(ENOENT: mkdtemp .*none.*\)$/,
    );
  });

  test('when the name of its folder has line ends in it', async () => {
    writeFileSync(join(folder, 'base\ngoromdb: all is well'), '');
    const base = join(folder, 'base\ngoromdb: all is well');
    const goromdb = new GoromdbProcess([...ANY, '-file', file, '-basedir', base]);
    await expectOneLine(goromdb, /^goromdb: cannot write in the base folder .*-basedir$/);
  });
});

describe('a server', () => {
  test('waits for a drop folder that is not there yet', async () => {
    const later = join(folder, 'later', 'data.json');
    const goromdb = new GoromdbProcess([
      ...ANY,
      ...['-file', later, '-basedir', join(folder, 'base'), '-rescan', '50ms'],
    ]);
    const address = await goromdb.address();
    await goromdb.says(/ warn FOLDER_UNUSABLE: .*later: expected a folder, found none/);
    expect(await read(address, 'v')).toBeUndefined();
    mkdirSync(dirname(later));
    drop(later, '{"v":"1"}');
    await goromdb.says(/generation 1 serves/);
    expect(await read(address, 'v')).toBe('1');
  });

  test.each([
    ['serves gzip on two threads', ['-threads', '2', '-gzipped'], gzipSync('{"v":"1"}')],
    ['polls', ['--poll-interval=20ms', '--rescan=1h'], Buffer.from('{"v":"1"}')],
  ])('%s when the flags say so', async (_, flags, content) => {
    const goromdb = new GoromdbProcess([...ANY, '-file', file, ...flags]);
    const address = await goromdb.address();
    drop(file, content);
    await goromdb.says(/generation 1 serves/);
    for (let connection = 0; connection < 4; connection++) {
      expect(await read(address, 'v')).toBe('1');
    }
    expect(await goromdb.kill('SIGTERM')).toBe(0);
  });

  test('logs an address that writes once, whichever of its threads it writes to', async () => {
    const goromdb = new GoromdbProcess([...ANY, '-file', file, '-threads', '3']);
    const address = await goromdb.address();
    // The system spreads connections over the threads: 30 do not all come to one.
    for (let count = 0; count < 30; count++) {
      const client = await RawClient.connect(address);
      expect(await client.ask('delete a\r\n')).toBe('NOT_FOUND\r\n');
      client.socket.destroy();
    }
    expect(await goromdb.kill('SIGTERM')).toBe(0);
    expect(
      goromdb.stderr.match(/ warn refused a write \(delete\) from 127\.0\.0\.1: /g),
    ).toHaveLength(1);
  });

  test('keeps two data sets at most: a load ends what is left of the one before', async () => {
    const goromdb = new GoromdbProcess([...ANY, '-file', file]);
    const address = await goromdb.address();
    drop(file, JSON.stringify({ large: 'x'.repeat(30_000_000) }));
    await goromdb.says(/generation 1 serves/);
    const client = await RawClient.connect(address);
    client.socket.pause();
    client.socket.write('get large\r\n');
    await expect.poll(() => statOf(address, 'bytes_written')).toBeGreaterThan(30_000_000);
    drop(file, '{"v":"2"}');
    await goromdb.says(/generation 2 serves/);
    expect(await statOf(address, 'stale_connections')).toBe(1);
    // Not even a good one: it is not known before it is read.
    drop(file, '{"v":');
    await goromdb.says(/rejected/);
    await expect.poll(() => statOf(address, 'stale_kicks')).toBe(1);
    expect(await statOf(address, 'stale_connections')).toBe(0);
    client.socket.resume();
    expect((await client.readToEnd()).length).toBeLessThan(30_000_000);
  });

  test.runIf(process.platform === 'linux')(
    'warns of a limit on connections that its descriptors do not allow',
    async () => {
      const command = `ulimit -n 200; exec "$0" "$1" -file "$2" -addr 127.0.0.1:0 -conn-limit 500`;
      const bin = fileURLToPath(new URL('../../bin/goromdb.js', import.meta.url));
      const child = spawn('sh', ['-c', command, process.execPath, bin, file]);
      onTestFinished(() => void child.kill('SIGKILL'));
      let stderr = '';
      for await (const text of child.stderr) {
        stderr += text;
        if (stderr.includes('listens on')) break;
      }
      expect(stderr).toMatch(/ warn -conn-limit 500 needs 580 descriptors, .* may open 200: /);
    },
  );

  test('listens on a UNIX socket, and takes the place of one that was killed', async () => {
    const path = join(folder, 'socket');
    const args = ['-addr', path, '-file', file];
    const first = new GoromdbProcess(args);
    const address = await first.address();
    expect(address).toEqual({ kind: 'unix', path });
    drop(file, '{"v":"1"}');
    await first.says(/generation 1 serves/);
    mkdirSync(join(folder, 'second'));
    const second = new GoromdbProcess([...args, '-basedir', join(folder, 'second')]);
    await expectOneLine(
      second,
      /^goromdb: cannot listen on unix:.*: another program listens there/,
    );
    expect(await read(address, 'v')).toBe('1');

    await first.kill('SIGKILL');
    expect(existsSync(path)).toBe(true);
    const third = new GoromdbProcess(args);
    await third.says(/listens on/);
    expect(await read(address, 'v')).toBe('1');
    expect(await third.kill('SIGINT')).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test('serves again after kill -9, from the slot that it served from', async () => {
    const first = new GoromdbProcess([...ANY, '-file', file]);
    await first.address();
    for (const v of [1, 2]) {
      drop(file, `{"v":"${v}"}`);
      await first.says(new RegExp(`generation ${v} serves from slot data0${v - 1}`));
    }
    await first.kill('SIGKILL');
    const second = new GoromdbProcess([...ANY, '-file', file]);
    const address = await second.address();
    await second.says(/generation 2 serves from slot data01/);
    expect(await read(address, 'v')).toBe('2');
  });

  test('writes one line a message, whatever names and files contain', async () => {
    const hostile = join(folder, 'in\n2026-01-31T03:00:00.000Z info forged\r\x1b[2J');
    mkdirSync(hostile);
    file = join(hostile, 'data.json');
    const goromdb = new GoromdbProcess([...ANY, '-file', file]);
    await goromdb.says(/listens on/);
    drop(file, '{"key\\n2026-01-31T03:00:00.000Z info forged": 1}');
    await goromdb.says(/rejected/);
    drop(file, '{"key\n2026-01-31T03:00:00.000Z info forged": "1"}');
    await goromdb.says(/rejected .*DATA_CORRUPT/);
    writeFileSync(`${file}.md5`, '\n2026-01-31T03:00:00.000Z info forged\n');
    writeFileSync(file, 'x');
    await goromdb.says(/SUM_INVALID/);
    const lines = linesOf(goromdb);
    expect(lines).toHaveLength(4);
    for (const line of lines) {
      expect(line).toMatch(
        /^2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:info|warn|error) (?!forged)/,
      );
    }
  });

  test('looks again on SIGHUP at what it could not load before', async () => {
    const blocked = join(folder, 'data00', 'data.db');
    mkdirSync(blocked, { recursive: true });
    const goromdb = new GoromdbProcess([...ANY, '-file', file, '-rescan', '1h']);
    const address = await goromdb.address();
    drop(file, '{"v":"1"}');
    await goromdb.says(/ error Loading .* failed: .*Nothing was changed: the drop stays/);
    rmdirSync(blocked);
    await goromdb.kill('SIGHUP');
    await goromdb.says(/generation 1 serves/);
    expect(await read(address, 'v')).toBe('1');
    expect(goromdb.hasEnded).toBe(false);
  });
});

describe('the end', () => {
  const VALUE_BYTES = 500_000;
  const GETS = 32;

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'after %s comes when all that was asked is answered, and is 0',
    async (signal) => {
      drop(file, JSON.stringify({ v: 'x'.repeat(VALUE_BYTES) }));
      const goromdb = new GoromdbProcess([...ANY, '-file', file]);
      const address = await goromdb.address();
      await goromdb.says(/generation 1 serves/);
      const [client, idle] = [await connect(address), await connect(address)];
      client.send('get v\r\n'.repeat(GETS));
      expect(await client.readHits('get')).toHaveLength(1);
      const ended = goromdb.kill(signal);
      for (let reply = 2; reply <= GETS; reply++) {
        const [hit] = await client.readHits('get');
        expect(hit.value.length, `reply ${reply}`).toBe(VALUE_BYTES);
      }
      expect(await client.readToEnd()).toBe('');
      expect(await idle.readToEnd()).toBe('');
      expect(await ended).toBe(0);
      await expect(TextClient.connect(address)).rejects.toThrow('ECONNREFUSED');
    },
  );

  test('does not wait for a client that does not read', async () => {
    drop(file, JSON.stringify({ v: 'x'.repeat(VALUE_BYTES) }));
    const goromdb = new GoromdbProcess([...ANY, '-file', file]);
    const address = await goromdb.address();
    await goromdb.says(/generation 1 serves/);
    if (address.kind !== 'tcp') throw new Error('expected a TCP address');
    const deaf = net.connect(address.port, '127.0.0.1').pause();
    onTestFinished(() => void deaf.destroy());
    deaf.on('error', () => {});
    deaf.write('get v\r\n'.repeat(GETS));
    const other = await connect(address);
    await waitFor(async () => expect(Number((await other.stats()).cmd_get)).toBeGreaterThan(1));
    expect(await goromdb.kill('SIGTERM')).toBe(0);
  });

  test('comes when a client sends shutdown, if that is enabled', async () => {
    const file = join(temporaryFolder(), 'data.json');
    const goromdb = new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', file, '-enable-shutdown']);
    const client = await TextClient.connect(await goromdb.address());
    client.send('shutdown\r\n');
    expect(await goromdb.exit()).toBe(0);
    client.close();
  });

  test('comes at once in the middle of a load', async () => {
    // 400 MB of spaces before the end: seconds of scanning.
    drop(file, gzipSync(Buffer.concat([Buffer.alloc(400_000_000, ' '), Buffer.from('{}')])));
    const goromdb = new GoromdbProcess([...ANY, '-file', file, '-gzipped']);
    await goromdb.address();
    expect(await goromdb.kill('SIGTERM')).toBe(0);
    expect(goromdb.stderr).not.toMatch(/ (?:warn|error) /);
    // It has not been waited for, and the next start loads it.
    expect(existsSync(file)).toBe(true);
  });
});
