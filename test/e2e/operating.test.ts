/** What an operator sees and does: the log of a start and an end, signals. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseAddress, startGoromdb } from 'goromdb';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { VERSION } from '../../src/common/version.ts';
import { TABLE_NAME } from '../../src/loader/slots/slot-table.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { TextClient } from '../support/text-client.ts';

const ANY = ['-addr', '127.0.0.1:0'];
const pem = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
const TLS = ['-tls-cert', pem('server.pem'), '-tls-key', pem('server.key')];

let folder: string;
let file: string;
beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder, 'data.json');
});

async function statsOf(address: Address): Promise<Record<string, string>> {
  const client = await TextClient.connect(address);
  const stats = await client.stats();
  client.close();
  return stats;
}

describe('the log', () => {
  test('begins with version, process, and flags without the values of records', async () => {
    const canaries = ['-canary', 'a=secret', '-canary=b=secret', '-canary', 'plain'];
    const goromdb = new GoromdbProcess([...ANY, '-file', file, ...canaries]);
    await goromdb.address();
    const [first] = goromdb.stderr.split('\n');
    const start = `info goromdb ${VERSION} starts, pid ${goromdb.child.pid}, Node ${process.version}: goromdb -addr 127.0.0.1:0 -file ${file} -canary `;
    expect(first).toContain(start);
    expect(first).toContain("-canary 'a=…' '-canary=b=…' -canary plain");
    expect(goromdb.stderr).not.toContain('secret');
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('ends with what %s has done', async (signal) => {
    const goromdb = new GoromdbProcess([...ANY, '-file', file]);
    await goromdb.address();
    expect(await goromdb.kill(signal)).toBe(0);
    expect(goromdb.stderr).toMatch(new RegExp(` info ${signal}: stops\n\\S+ info stopped\n$`));
  });

  test('logs that a client has ended the server', async () => {
    const goromdb = new GoromdbProcess([...ANY, '-file', file, '-enable-shutdown']);
    const client = await RawClient.connect(await goromdb.address());
    client.socket.write('shutdown\r\n');
    expect(await goromdb.exit()).toBe(0);
    expect(goromdb.stderr).toMatch(/ info a client has sent shutdown: stops\n\S+ info stopped\n$/);
  });

  test('logs a reload, and what was read again', async () => {
    const users = join(folder, 'users');
    writeFileSync(users, 'ann:secret\n');
    const goromdb = new GoromdbProcess([...ANY, '-file', file, ...TLS, '-auth-file', users]);
    await goromdb.address();
    await goromdb.kill('SIGHUP');
    await goromdb.says(
      / info SIGHUP: reloads\n\S+ info reloaded: drops are looked at again; certificates and users were read again\n/,
    );
  });
});

describe('goromdb status', () => {
  async function status(...flags: string[]): Promise<{ code: number | null; said: string }> {
    const process = new GoromdbProcess(['status', '-basedir', folder, ...flags]);
    const code = await process.exit();
    return { code, said: process.stdout + process.stderr };
  }

  test('ends with 1 for a folder that is no base folder', async () => {
    writeFileSync(file, '{}');
    expect(await status()).toEqual({
      code: 1,
      said:
        `goromdb: ${folder} is no base folder: expected data00 or data01 in it, found neither, ` +
        'and no server: check -basedir\n',
    });
  });

  test('ends with 4 while there is no data, 0 when it serves, and 3 without a server', async () => {
    const goromdb = new GoromdbProcess([...ANY, '-file', file]);
    await goromdb.address();
    expect(await status()).toMatchObject({ code: 4, said: expect.stringContaining('nothing yet') });
    writeFileSync(file, '{"v":"1"}');
    await expect
      .poll(async () => (await status()).said)
      .toMatch(/^drop {5}SUM_MISSING, since \S+Z: .*data\.json waits for its sum file/m);
    drop(file, '{"v":"1"}');
    await goromdb.says(/generation 1 serves/);
    expect((await status()).code).toBe(0);
    await goromdb.kill('SIGTERM');
    expect(await status()).toMatchObject({
      code: 3,
      said: expect.stringContaining('no server runs here'),
    });
    expect((await status('-json')).code).toBe(3);
  });

  test('ends with 5 when the file that serves is damaged', async () => {
    const goromdb = await startGoromdb({
      ...{ address: parseAddress('127.0.0.1:0'), file, storage: 'json', basedir: folder },
      scrub: { bytesPerSecond: 1024 * 1024, passPauseMs: 10 },
    });
    onTestFinished(() => goromdb.close());
    drop(file, '{"v":"1"}');
    await expect.poll(async () => (await status()).code).toBe(0);
    writeFileSync(join(folder, 'data00', 'data.db'), '{"v":"2"}');
    await expect.poll(async () => (await status()).code).toBe(5);
    expect((await status()).said).toMatch(/^damage {3}.*data\.db is damaged/m);
  });
});

describe('both slots damaged', () => {
  test('is an error in the log, in status and in stats until a file serves', async () => {
    const first = new GoromdbProcess([...ANY, '-file', file]);
    await first.address();
    for (const v of [1, 2]) {
      drop(file, `{"v":"${v}"}`);
      await first.says(new RegExp(`generation ${v} serves`));
    }
    await first.kill('SIGTERM');
    for (const slot of ['data00', 'data01']) {
      for (const name of ['data.db', TABLE_NAME]) writeFileSync(join(folder, slot, name), 'X');
    }
    const goromdb = new GoromdbProcess([...ANY, '-file', file]);
    const address = await goromdb.address();
    const fault = `no slot in ${folder} holds a generation that can be served: every key is a miss until ${file} and its .md5 are dropped`;
    await goromdb.says(/listens on \S+; no slot can be served\n/);
    expect(goromdb.stderr).toContain(` error ${fault}\n`);
    const status = new GoromdbProcess(['status', '-basedir', folder]);
    expect(await status.exit()).toBe(4);
    expect(status.stdout).toContain(`\nfault    ${fault}\n`);
    expect(status.stdout).toContain(` nothing to serve: ${fault}\n`);
    expect(await statsOf(address)).toMatchObject({ last_load_error: 'LOAD_FAILED' });

    drop(file, '{"v":"3"}');
    await goromdb.says(/generation 3 serves/);
    const after = new GoromdbProcess(['status', '-basedir', folder]);
    expect(await after.exit()).toBe(0);
    expect(after.stdout).not.toContain('fault ');
    await expect.poll(async () => (await statsOf(address)).last_load_error).toBe('none');
  });

  test.each(['data.db', 'data.db.md5'])('counts also when its %s is gone', async (name) => {
    const first = new GoromdbProcess([...ANY, '-file', file]);
    await first.address();
    for (const v of [1, 2]) {
      drop(file, `{"v":"${v}"}`);
      await first.says(new RegExp(`generation ${v} serves`));
    }
    await first.kill('SIGTERM');
    for (const slot of ['data00', 'data01']) rmSync(join(folder, slot, name));
    const goromdb = new GoromdbProcess([...ANY, '-file', file]);
    await goromdb.says(/ error no slot in .* holds a generation that can be served/);
  });
});

describe('stats', () => {
  test.each(['1', '3'])(
    'of %s threads count bad drops, and have the last error, the waiting drop and the age',
    async (threads) => {
      const args = [...ANY, '-file', file, '-threads', threads, '-min-keys', '1'];
      const first = new GoromdbProcess(args);
      const address = await first.address();
      expect(await statsOf(address)).toMatchObject({
        ...{ loads_rejected: '0', loads_failed: '0', installed_at: '0', data_age: '0' },
        ...{ last_load_error: 'none', last_load_error_at: '0' },
        ...{ drop_waiting: 'none', drop_waiting_since: '0' },
      });
      // Each of the threads is notified by itself, after the log, and a connection comes to any of them.
      const eventually = (stats: Record<string, string>): Promise<void> =>
        expect.poll(() => statsOf(address)).toMatchObject(stats);
      const moment = expect.stringMatching(/^[1-9]\d{9}$/);
      writeFileSync(file, '{"v":1}');
      await eventually({ drop_waiting: 'SUM_MISSING', drop_waiting_since: moment });
      drop(file, '{"v":1}');
      await first.says(/rejected/);
      await eventually({
        ...{ loads_rejected: '1', loads_failed: '0', drop_waiting: 'none' },
        ...{ last_load_error: 'FORMAT_UNSUPPORTED', last_load_error_at: moment },
      });
      const expected =
        /last_load_error_text[: ]rejected .*data\.json: expected a string at byte 5.*\r\n/;
      for (const [ask, end] of [
        ['stats dataset\r\n', 'END\r\n'],
        ['*2\r\n$4\r\nINFO\r\n$7\r\ndataset\r\n', '\r\n\r\n'],
      ]) {
        const asked = async (): Promise<string> => (await RawClient.connect(address)).ask(ask, end);
        await expect.poll(asked).toMatch(expected);
      }

      drop(file, '{"v":"1"}');
      await first.says(/generation 1 serves/);
      await expect.poll(async () => (await statsOf(address)).last_load_error).toBe('none');
      const { installed_at: installedAt } = await statsOf(address);
      await first.kill('SIGKILL');
      // As if it were of an hour before: a restart must not make it young.
      const record = join(folder, 'data00', 'generation.json');
      const text = readFileSync(record, 'utf8');
      const hourBefore = new Date((Number(installedAt) - 3600) * 1000).toISOString();
      writeFileSync(
        record,
        text.replace(/"installedAt":\s*"[^"]*"/, `"installedAt":"${hourBefore}"`),
      );
      const second = new GoromdbProcess(args);
      const stats = await statsOf(await second.address());
      expect(Number(stats.installed_at)).toBe(Number(installedAt) - 3600);
      expect(Number(stats.data_age)).toBeGreaterThanOrEqual(3600);
      expect(Number(stats.loaded_at)).toBeGreaterThanOrEqual(Number(installedAt));
    },
  );

  test('count a load that failed for another reason than the file', async () => {
    mkdirSync(join(folder, 'data00', 'data.db'), { recursive: true });
    const goromdb = new GoromdbProcess([...ANY, '-file', file]);
    const address = await goromdb.address();
    drop(file, '{"v":"1"}');
    await goromdb.says(/ error Loading .* failed: /);
    await expect.poll(async () => (await statsOf(address)).last_load_error).toBe('FOLDER_UNUSABLE');
    expect(await statsOf(address)).toMatchObject({ loads_failed: '1', loads_rejected: '0' });
    expect(goromdb.stderr).toMatch(/a folder has the name of a file: remove it \(/);
    await expect.poll(async () => (await statsOf(address)).drop_waiting).not.toBe('none');
  });
});

describe('a TLS file that is empty', () => {
  const files = (): Record<'cert' | 'key', string> => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    cpSync(pem('server.pem'), cert);
    cpSync(pem('server.key'), key);
    return { cert, key };
  };

  test.each([
    ['cert', 'certificate'],
    ['key', 'private key'],
  ] as const)('ends a start with one line: the %s', async (which, name) => {
    const paths = files();
    writeFileSync(paths[which], '');
    const args = [...ANY, '-file', file, '-tls-cert', paths.cert, '-tls-key', paths.key];
    const goromdb = new GoromdbProcess(args);
    expect(await goromdb.exit()).toBe(1);
    expect(goromdb.stderr).toMatch(
      new RegExp(`\ngoromdb: the TLS .* ${paths[which]} holds no ${name} in PEM form: .*\n$`),
    );
  });

  test('leaves the one in use at a reload, on every thread', async () => {
    const paths = files();
    const args = ['-tls-cert', paths.cert, '-tls-key', paths.key, '-threads', '2'];
    const goromdb = new GoromdbProcess([...ANY, '-file', file, ...args]);
    const address = await goromdb.address();
    writeFileSync(paths.cert, '');
    await goromdb.kill('SIGHUP');
    await goromdb.says(/ error not reloaded: .* holds no certificate .*; what was in use stays\n/);
    for (let count = 0; count < 8; count++) {
      const client = await RawClient.connect(address, { rejectUnauthorized: false });
      expect(await client.ask('get a\r\n', 'END\r\n')).toBe('END\r\n');
    }
  });
});

describe('signals that have no use', () => {
  test.each(['SIGUSR1'] as const)(
    '%s is logged; nothing ends, and no debugger listens',
    async (signal) => {
      const goromdb = new GoromdbProcess([...ANY, '-file', file]);
      const address = await goromdb.address();
      goromdb.child.kill(signal);
      await goromdb.says(new RegExp(` info ${signal} is not used, and changes nothing\n`));
      const client = await RawClient.connect(address);
      expect(await client.ask('get a\r\n', 'END\r\n')).toBe('END\r\n');
      expect(await goromdb.kill('SIGTERM')).toBe(0);
      expect(goromdb.stderr).not.toMatch(/debugger/i);
    },
  );
});

describe('the end of an idle server', () => {
  /** Less than any of the times that are given to clients at the end. */
  const END_MS_MAX = 900;
  const TRIES = 5;

  test.each([
    ['TCP', []],
    ['TLS', TLS],
  ])('waits for nobody, with clients connected over %s', async (_, flags) => {
    drop(file, '{"v":"1"}');
    const times: number[] = [];
    // A busy machine may be slow at any one of them.
    while (times.length < TRIES && Math.min(...times, Infinity) > END_MS_MAX) {
      const goromdb = new GoromdbProcess([...ANY, '-file', file, ...flags]);
      const address = await goromdb.address();
      await goromdb.says(/generation 1 serves/);
      // Over TLS it is one without a handshake.
      const idle = await RawClient.connect(address);
      const startMs = performance.now();
      expect(await goromdb.kill('SIGTERM')).toBe(0);
      times.push(performance.now() - startMs);
      expect(goromdb.stderr).toMatch(/ info stopped\n$/);
      idle.socket.destroy();
    }
    expect(Math.min(...times)).toBeLessThan(END_MS_MAX);
  });
});

test('a checkout that was not built says what to run', () => {
  const checkout = join(folder, 'checkout');
  mkdirSync(join(checkout, 'bin'), { recursive: true });
  cpSync(
    fileURLToPath(new URL('../../bin/goromdb.js', import.meta.url)),
    join(checkout, 'bin', 'goromdb.js'),
  );
  writeFileSync(join(checkout, 'package.json'), '{"type":"module"}');
  const { status, stderr } = spawnSync(process.execPath, [join(checkout, 'bin', 'goromdb.js')], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toBe(`goromdb: ${checkout} is not built: run "npm ci && npm run build" there\n`);
});
