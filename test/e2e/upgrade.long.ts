/** `goromdb upgrade` under load, from one build to another, and killed at each step. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { keepAsking, newTally, TALKS, valueFor } from '../support/reconnecting-client.ts';
import { Upgradable } from '../support/upgradable.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PRELOAD = join(ROOT, 'test/support/upgrade-crash.mjs');
const CERTIFICATE = ['-tls-cert', 'server.pem', '-tls-key', 'server.key'].map((word) =>
  word.startsWith('-') ? word : join(ROOT, 'fixtures/tls', word),
);
/** So many take as long to load as a new process takes to start. */
const KEYS = 300_000;
const UPGRADES = 3;
const BUSY_CLIENTS = 2;
const CALM_CLIENTS = 4;
/** Without it, the clients would take the machine from the servers as long as they drain. */
const BUSY = { withinMs: 2, behindMs: 0 };
/** Longer than a connection has to be quiet before it is closed. */
const CALM = { withinMs: 0, behindMs: 400 };

async function ask(address: Address, key: string, options?: object): Promise<string> {
  const client = await RawClient.connect(address, options);
  const answer = await client.ask(`get ${key}\r\n`, 'END\r\n');
  client.socket.destroy();
  return answer.split('\r\n')[1];
}

async function pidOf(address: Address, options?: object): Promise<number> {
  const client = await RawClient.connect(address, options);
  const answer = await client.ask('stats\r\n', 'END\r\n');
  client.socket.destroy();
  return Number(/STAT pid (\d+)/.exec(answer)?.[1]);
}

const DATA = JSON.stringify(
  Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key-${i}`, valueFor(`key-${i}`)])),
);

describe('under the load of four protocols', () => {
  const unix = (): readonly string[] => ['-s', join(temporaryFolder(), 's')];
  test.each([
    ['TCP, one thread', () => []],
    ['TCP, two threads', () => ['-threads', '2']],
    ['a UNIX socket, one thread', unix],
    ['a UNIX socket, two threads', () => [...unix(), '-threads', '2']],
    ['TLS, one thread', () => CERTIFICATE],
    ['TLS, two threads', () => [...CERTIFICATE, '-threads', '2']],
  ] as [string, () => readonly string[]][])(
    'over %s, no connection is refused, and each request is answered rightly',
    async (name, flagsOf) => {
      const flags = flagsOf();
      const server = new Upgradable([...flags, '-drain-timeout', '2s']);
      const address = await server.address();
      drop(server.file, DATA);
      await server.says(/generation 1 serves/);
      const target = { address, tls: flags === CERTIFICATE || flags.includes('-tls-cert') };
      const stop = new AbortController();
      const [busy, calm] = [newTally(), newTally()];
      const clients = TALKS.flatMap((talk) => [
        ...Array.from({ length: BUSY_CLIENTS }, () =>
          keepAsking(talk, target, BUSY, busy, stop.signal),
        ),
        ...Array.from({ length: CALM_CLIENTS }, () =>
          keepAsking(talk, target, CALM, calm, stop.signal),
        ),
      ]);
      for (let i = 0; i < UPGRADES; i++) {
        const old = server.pids.at(-1)!;
        expect(await server.upgrade()).toMatchObject({ code: 0 });
        await server.hasEnded(old);
      }
      stop.abort();
      await Promise.all(clients);
      for (const tally of [busy, calm]) {
        expect(tally).toMatchObject({ wrong: 0, refused: 0 });
        expect(tally.answered).toBeGreaterThan(100);
        expect(tally.reconnected).toBeGreaterThanOrEqual(UPGRADES);
      }
      process.stdout.write(`${name}: busy ${JSON.stringify(busy)}, calm ${JSON.stringify(calm)}\n`);
    },
  );
});

test('keeps saying over HTTP that it is ready', async () => {
  const server = new Upgradable(['-http', '127.0.0.1:0']);
  await server.address();
  await server.load(1);
  const [, where] = /answers HTTP on (\S+)/.exec(server.log)!;
  const answers = new Map<number, number>();
  const stop = new AbortController();
  const polling = (async () => {
    while (!stop.signal.aborted) {
      // Each by a connection of its own: one that is kept may be closed just when it is used.
      const { status } = await fetch(`http://${where}/readyz`, {
        headers: { connection: 'close' },
      });
      answers.set(status, (answers.get(status) ?? 0) + 1);
      await delay(20);
    }
  })();
  expect(await server.upgrade()).toMatchObject({ code: 0 });
  await server.hasEnded(server.pids[0]);
  stop.abort();
  await polling;
  expect([...answers.keys()]).toEqual([200]);
});

test('takes what the file of -config says by now: another address and other data sets', async () => {
  const folder = temporaryFolder();
  const config = join(folder, 'goromdb.toml');
  const write = (path: string, sets: readonly string[]): void => {
    const tables = sets.map(
      (set) =>
        `[[data-set]]\nprefix = "${set}"\nfile = "${folder}/${set}.json"\nbasedir = "${folder}/${set}"\n`,
    );
    writeFileSync(config, `s = "${folder}/${path}"\n${tables.join('')}`);
  };
  write('first', ['a', 'b']);
  const server = new Upgradable(['-config', config]);
  await server.address();
  write('second', ['a', 'c']);
  expect(await server.upgrade(join(folder, 'a'))).toMatchObject({ code: 0 });
  const [old, next] = server.pids;
  await server.hasEnded(old);
  expect(await pidOf({ kind: 'unix', path: join(folder, 'second') })).toBe(next);
  // What nobody uses any more is given back.
  expect(existsSync(join(folder, 'first'))).toBe(false);
  const status = new GoromdbProcess(['status', '-basedir', join(folder, 'b')]);
  await status.exit();
  expect(status.stdout).toMatch(/^no server runs here/);
});

test('a load that is under way is done by one of the two processes', async () => {
  const server = new Upgradable();
  const address = await server.address();
  await server.load(1);
  const keys = Array.from({ length: KEYS }, (_, i) => [`key-${i}`, valueFor(`key-${i}`)]);
  drop(server.file, JSON.stringify(Object.fromEntries(keys)));
  expect(await server.upgrade()).toMatchObject({ code: 0 });
  await server.says(/generation 2 serves/);
  expect(await ask(address, 'key-77')).toBe(valueFor('key-77'));
  await expect.poll(() => existsSync(server.file)).toBe(false);
});

test('goes from one build to another, by a link to its folder', async () => {
  const folder = temporaryFolder();
  const link = join(folder, 'current');
  for (const version of ['1.0.0', '2.0.0']) {
    const build = join(folder, version);
    mkdirSync(build);
    for (const part of ['bin', 'dist', 'package.json']) {
      cpSync(join(ROOT, part), join(build, part), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(build, 'node_modules'));
    const path = join(build, 'dist/common/version.js');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/VERSION = '\d+\.\d+\.\d+'/, `VERSION = '${version}'`));
  }
  symlinkSync(join(folder, '1.0.0'), link);
  const server = new Upgradable([], join(link, 'bin/goromdb.js'));
  const address = await server.address();
  await server.load(1);
  rmSync(link);
  // A build that does not start changes nothing.
  symlinkSync(join(folder, 'none'), link);
  const refused = await server.upgrade();
  expect(refused.stderr).toMatch(
    /not upgraded: .*goromdb\.js does not start: .*Cannot find module/,
  );
  rmSync(link);
  symlinkSync(join(folder, '2.0.0'), link);
  expect((await server.upgrade()).stdout).toMatch(/^upgraded: goromdb 2\.0\.0 serves/);
  expect(await ask(address, 'v')).toBe('1');
  expect(await pidOf(address)).toBe(server.pids.at(-1));
});

describe('killed during an upgrade', () => {
  test.each([
    ...['new:checked', 'new:ready', 'new:taken'],
    ...[
      'old:spawned',
      'old:heard:checked',
      'old:go',
      'old:heard:ready',
      'old:yours',
      'old:heard:taken',
    ],
  ])('at %s, the other process serves and takes new files', async (step) => {
    vi.stubEnv('GOROMDB_UPGRADE_CRASH', step);
    vi.stubEnv('NODE_OPTIONS', `--import ${PRELOAD}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    const server = new Upgradable();
    const address = await server.address();
    await server.load(1);
    const { code } = await server.upgrade();
    const isOldKilled = step.startsWith('old:');
    expect(code).toBe(1);
    await expect.poll(() => server.pids).toHaveLength(2);
    const [killed, other] = isOldKilled ? server.pids : server.pids.toReversed();
    await server.hasEnded(killed);
    expect(await ask(address, 'v')).toBe('1');
    await expect.poll(() => pidOf(address)).toBe(other);
    await server.load(2);
    expect(await ask(address, 'v')).toBe('2');
    // Nobody else may have the folder, and it is free when the other one ends.
    process.kill(other, 'SIGTERM');
    await server.hasEnded(other);
    rmSync(server.file, { force: true });
    const next = new GoromdbProcess([
      '-addr',
      '127.0.0.1:0',
      '-file',
      server.file,
      '-basedir',
      server.base,
    ]);
    expect(await ask(await next.address(), 'v')).toBe('2');
  });
});
