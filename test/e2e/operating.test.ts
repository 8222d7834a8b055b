/** What an operator sees and does: the log of a start and an end, signals. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { VERSION } from '../../src/version.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { RawClient } from '../support/raw-client.ts';

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

  test('tells that a client has ended the server', async () => {
    const goromdb = new GoromdbProcess([...ANY, '-file', file, '-enable-shutdown']);
    const client = await RawClient.connect(await goromdb.address());
    client.socket.write('shutdown\r\n');
    expect(await goromdb.exit()).toBe(0);
    expect(goromdb.stderr).toMatch(/ info a client has sent shutdown: stops\n\S+ info stopped\n$/);
  });

  test('tells of a reload, and of what was read again', async () => {
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
  test.each(['SIGUSR1', 'SIGUSR2'] as const)(
    '%s is told of; nothing ends, and no debugger listens',
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
