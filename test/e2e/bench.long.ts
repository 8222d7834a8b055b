import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { generatedKey, generatedValue } from '../../src/traffic/data-set.ts';
import { readResp } from '../../src/traffic/resp.ts';
import type { TrafficReport } from '../../src/traffic/traffic.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

const BIN = fileURLToPath(new URL('../../bin/goromdb.js', import.meta.url));
const CONNECTIONS = ['-warmup', '0', '-connections', '4'];
const SHORT_MS = 300;
/** A machine that does not come to enough requests within this is no machine to measure on. */
const LONG_MS = 60_000;
/** Of fewer requests, those that are counted by half when it ends are too large a part. */
const REQUESTS_MIN = 100;
const KEYS = 200;
const VALUE_BYTES = 50;
const run = promisify(execFile);

/** A goromdb with the generated data set; `bench` may expect values of other keys. */
async function serveGenerated(ownerOf = (id: number): number => id): Promise<string> {
  const file = join(temporaryFolder(), 'data.json');
  const records = Array.from({ length: KEYS }, (_, id) => [
    generatedKey(id),
    generatedValue(generatedKey(ownerOf(id)), VALUE_BYTES),
  ]);
  drop(file, JSON.stringify(Object.fromEntries(records)));
  const goromdb = new GoromdbProcess(['-file', file, '-addr', '127.0.0.1:0']);
  await goromdb.says(/ serves from slot /);
  const address = await goromdb.address();
  return address.kind === 'tcp' ? `127.0.0.1:${address.port}` : '';
}

/** Lasts a short time, or on a busy machine as long as enough requests take. */
async function bench(...args: readonly string[]): Promise<TrafficReport> {
  for (let ms = SHORT_MS; ; ms *= 4) {
    const words = ['bench', ...args, ...CONNECTIONS, '-duration', `${ms}ms`, '-json'];
    const { stdout } = await run(process.execPath, [BIN, ...words]);
    const report = JSON.parse(stdout) as TrafficReport;
    if (report.stats.requests > REQUESTS_MIN || ms > LONG_MS) return report;
  }
}

/** All keys were hits. The counts are of one moment, at which some replies were half counted. */
function expectHits({ hits, keys }: TrafficReport['stats']): void {
  expect(hits / keys).toBeCloseTo(1, 1);
}

const GENERATED = ['-keys', String(KEYS), '-value-size', `${VALUE_BYTES}B`];

test.each([
  ['single gets', []],
  ['pipelines over two threads', ['-pipeline', '16', '-threads', '2']],
  ['multi-gets with Zipf', ['-multi', '20', '-choose', 'zipf']],
  ['quiet meta pipelines', ['-command', 'meta', '-multi', '5']],
  ['a fixed rate', ['-rate', '1000']],
  ["Redis' GET", ['-command', 'redis']],
  ["Redis' GET, pipelined", ['-command', 'redis', '-pipeline', '16', '-choose', 'zipf']],
  ["Redis' MGET, pipelined", ['-command', 'redis', '-multi', '20', '-pipeline', '4']],
])('bench loads with %s, and finds every reply right', async (_, flags) => {
  const { stats, complaints, latencyMs } = await bench(
    await serveGenerated(),
    ...GENERATED,
    ...flags,
  );
  expect(complaints).toEqual([]);
  expect(stats).toMatchObject({ connected: 4, wrong: 0, errors: 0, lost: 0 });
  expect(stats.requests).toBeGreaterThan(REQUESTS_MIN);
  expect(stats.checked).toBeGreaterThan(0);
  expectHits(stats);
  expect(latencyMs.p50).toBeGreaterThan(0);
});

test.each([['get'], ['redis']])('bench counts misses of %s', async (command) => {
  const flags = ['-command', command, '-multi', '2', '-misses', '100'];
  const { stats } = await bench(await serveGenerated(), ...GENERATED, ...flags);
  expect(stats.requests).toBeGreaterThan(REQUESTS_MIN);
  expect(stats.hits).toBe(0);
});

test('bench asks the server for its keys, or reads them from a file', async () => {
  const address = await serveGenerated();
  const listed = await bench(address);
  expectHits(listed.stats);
  const toldByRedis = await bench(address, '-command', 'redis');
  expectHits(toldByRedis.stats);
  const path = join(temporaryFolder(), 'keys');
  writeFileSync(path, `${generatedKey(1)}\n${generatedKey(2)}\n`);
  const read = await bench(address, '-keys-file', path, '-multi', '3');
  expectHits(read.stats);
});

test.each([['get'], ['redis']])(
  'bench ends with 1 and says so when values are wrong: %s',
  async (command) => {
    const address = await serveGenerated((id) => id + 1);
    const failure = await bench(address, ...GENERATED, '-command', command).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 1 });
    expect((failure as { stdout: string }).stdout).toContain('is not its own');
  },
);

test('bench ends with 1 when nobody listens, or the server is none of memcached', async () => {
  const nobody = await bench('127.0.0.1:1', ...GENERATED).catch((error: unknown) => error);
  expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot connect') });
  const web = net.createServer((socket) => {
    socket.on('error', () => {}).end('x'.repeat(10_000));
  });
  await new Promise<void>((listening) => web.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void web.close());
  const { port } = web.address() as net.AddressInfo;
  const other = await bench(`127.0.0.1:${port}`, ...GENERATED).catch((error: unknown) => error);
  expect((other as { stdout: string }).stdout).toContain('this is no memcached server');
});

test.each([['get'], ['redis']])(
  'bench refuses to fill a read-only server by %s, and says what to do',
  async (command) => {
    const flags = [...GENERATED, '-fill', '-command', command];
    const failure = await bench(await serveGenerated(), ...flags).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is filled with a file'),
    });
  },
);

/** As much of Redis as it takes to store strings and to give them back. */
async function serveStore(): Promise<string> {
  const store = new Map<string, string>();
  const answer = ([command, ...words]: readonly string[]): string => {
    if (command !== 'MSET') {
      const value = store.get(words[0]);
      return value === undefined ? '$-1\r\n' : `$${value.length}\r\n${value}\r\n`;
    }
    for (let i = 0; i < words.length; i += 2) store.set(words[i], words[i + 1]);
    return '+OK\r\n';
  };
  const server = net.createServer((socket) => {
    let input = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      input = Buffer.concat([input, chunk]);
      for (let next = readResp(input, 0); next !== undefined; next = readResp(input, 0)) {
        input = input.subarray(next.end);
        const items = next.value.kind === 'array' ? next.value.items : [];
        socket.write(answer(items.map((item) => ('text' in item ? item.text : ''))));
      }
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

test('bench fills a Redis server with all keys, in as many requests as they take', async () => {
  const data = ['-keys', '30', '-value-size', '100000'];
  const { stats, complaints } = await bench(
    await serveStore(),
    ...['-command', 'redis', '-fill', ...data],
  );
  expect(complaints).toEqual([]);
  expect(stats.checked).toBeGreaterThan(0);
  expectHits(stats);
});

test('bench prints a report for people, and no progress into a pipe', async () => {
  const address = await serveGenerated();
  const { stdout, stderr } = await run(process.execPath, [
    ...[BIN, 'bench', address, ...GENERATED, ...CONNECTIONS],
    ...['-duration', `${SHORT_MS}ms`, '-pid', String(process.pid)],
  ]);
  expect(stdout).toMatch(/^server .*\nrequests .*\nthroughput .*\n(?:.*\n)*server CPU /);
  expect(stderr).toBe('');
});
