/** What a server says of itself: everything comes from the package, the threads are real. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DataSetStatus,
  type Goromdb,
  type GoromdbOptions,
  type Metric,
  parseAddress,
  startDataSets,
  startGoromdb,
  VERSION,
} from 'goromdb';
import { expect, onTestFinished, test } from 'vitest';
import { askServer } from '../../src/control/control-client.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { moduleUrl, mortalProtocol } from '../support/mortal.ts';
import { RawClient } from '../support/raw-client.ts';
import { TextClient } from '../support/text-client.ts';

const ADDRESS = parseAddress('127.0.0.1:0');

interface Subject {
  readonly goromdb: Goromdb;
  readonly base: string;
  readonly file: string;
  /** The status of the only data set. */
  now(): DataSetStatus;
}

async function start(options: Partial<GoromdbOptions> = {}): Promise<Subject> {
  const folder = temporaryFolder();
  const file = join(folder, 'data.json');
  const base = join(folder, 'base');
  const place = { address: ADDRESS, file, basedir: base, storage: 'json' };
  const goromdb = await startGoromdb({ ...place, ...options });
  onTestFinished(() => goromdb.close());
  return { goromdb, base, file, now: () => goromdb.status().dataSets[0] };
}

/** The numbers of `counters()` that are about the server, by name. */
function numbers(metrics: readonly Metric[]): Record<string, number> {
  const own = metrics.filter(({ labels }) => labels.data_set === undefined);
  return Object.fromEntries(own.map(({ name, value }) => [name, value]));
}

test('the status of a data set follows it through drops, a rejection, a rollback and a restart', async () => {
  const subject = await start();
  const { goromdb, base, file, now } = subject;
  expect(now()).toMatchObject({ prefix: '', file, basedir: base, serving: undefined });
  const first = '{"v":"1"}';
  const beforeMs = Date.now();
  drop(file, first);
  await expect.poll(() => now().counters.loads_taken).toBe(1);
  const { serving, previous } = now();
  expect(previous).toBeUndefined();
  expect(serving).toMatchObject({
    ...{ slot: 'data00', generation: 1, keys: 1, format: 'json', source: file },
    ...{ md5: md5(first), bytes: first.length, tableBytes: expect.any(Number) },
  });
  expect(Date.parse(serving!.installedAt)).toBeGreaterThanOrEqual(beforeMs);
  expect(serving!.servedSinceMs).toBeGreaterThanOrEqual(beforeMs);

  drop(file, '{"v":"2","w":"2"}');
  await expect.poll(() => now().counters.loads_taken).toBe(2);
  expect(now()).toMatchObject({
    serving: { slot: 'data01', generation: 2, keys: 2 },
    previous: { slot: 'data00', generation: 1, md5: md5(first) },
  });

  drop(file, 'not json');
  await expect.poll(() => now().lastError?.code).toBe('FORMAT_UNSUPPORTED');
  expect(now()).toMatchObject({
    counters: { loads_taken: 2, loads_rejected: 1, loads_failed: 0 },
    serving: { generation: 2 },
  });
  expect(now().events.at(-1)?.kind).toBe('rejected');

  drop(file, '{}', 'f'.repeat(32));
  await expect.poll(() => now().waiting?.code).toBe('SUM_MISMATCH');

  await askServer(base, { command: 'rollback' }, 60_000);
  expect(now()).toMatchObject({
    serving: { slot: 'data00', generation: 3, restores: 1, md5: md5(first) },
    previous: { slot: 'data01', generation: 2 },
    lastError: undefined,
  });

  await goromdb.close();
  const again = await start({ file: join(temporaryFolder(), 'data.json'), basedir: base });
  expect(again.now()).toMatchObject({
    serving: { generation: 3, restores: 1, installedAt: expect.stringMatching(/Z$/) },
    counters: { loads_taken: 0, loads_rejected: 0 },
  });
  await expect.poll(() => again.now().previous?.generation).toBe(2);
  expect(again.now().events.map(({ kind }) => kind)).toContain('rolled back');
});

test('the status shows a load under way', async () => {
  const storage = moduleUrl(
    'export default { format: "slow", scan: () => new Promise((resolve) => setInterval(() => {}, 1e6)) };',
  );
  const { file, now } = await start({ storage });
  drop(file, 'anything');
  await expect.poll(() => now().loading?.path).toBe(file);
  expect(now().loading).toMatchObject({ stage: expect.any(String), bytes: expect.any(Number) });
});

test('the status is plain data, and what the control socket answers is the same', async () => {
  const { goromdb, base, file } = await start({ threads: 2, loudRefusals: true });
  drop(file, '{"v":"1"}');
  const client = await RawClient.connect(goromdb.address);
  await client.ask('get v\r\n', 'END\r\n');
  await expect.poll(() => goromdb.status().dataSets[0].counters.loads_taken).toBe(1);
  const status = goromdb.status();
  expect(JSON.parse(JSON.stringify(status))).toEqual(status);
  const { server, dataSets } = status;
  expect(server).toMatchObject({
    ...{ version: VERSION, pid: process.pid, node: process.version, connections: 1 },
    address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    settings: { num_threads: 2, loud_refusals: 'yes', shutdown_command: 'no' },
  });
  expect(server.threads.map(({ restarts }) => restarts)).toEqual([0, 0]);
  const { uptimeSeconds, cpuSeconds, residentBytes, ...rest } = server;
  // How late timers are may have changed.
  const loopDelay = { p99Seconds: expect.any(Number), maxSeconds: expect.any(Number) };
  expect([uptimeSeconds, cpuSeconds.user, residentBytes].every((value) => value > 0)).toBe(true);
  const answer = await askServer(base, { command: 'status' }, 60_000);
  const expected = JSON.parse(JSON.stringify({ server: rest, dataSets })) as typeof status;
  const threads = expected.server.threads.map((thread) => ({ ...thread, loopDelay }));
  expect(answer?.result).toMatchObject({ ...expected, server: { ...expected.server, threads } });
  client.socket.destroy();
});

test('the status counts the restarts of each serving thread', async () => {
  const { goromdb } = await start({ protocol: mortalProtocol() });
  const client = await RawClient.connect(goromdb.address);
  client.socket.write('get die:throw\r\n');
  await expect.poll(() => goromdb.status().server.threads[0].restarts).toBe(1);
  expect(numbers(goromdb.counters()).serving_thread_restarts).toBe(1);
  client.socket.destroy();
});

test('counters() has the numbers of stats, each with a kind and a sentence', async () => {
  const { goromdb, file, now } = await start();
  drop(file, '{"v":"1"}');
  await expect.poll(() => now().counters.loads_taken).toBe(1);
  const client = await TextClient.connect(goromdb.address);
  await client.get(['v', 'none', 'v']);
  const metrics = goromdb.counters();
  const stats = await client.stats();
  // These go on while they are read.
  const moving = /^(uptime|rusage_.*|bytes_.*|resident_bytes|scrub_.*)$/;
  const own = numbers(metrics);
  for (const [name, value] of Object.entries(own)) {
    if (!moving.test(name)) expect([name, String(value)]).toEqual([name, stats[name]]);
  }
  expect(own).toMatchObject({ get_hits: 2, get_misses: 1, curr_connections: 1, loads_taken: 1 });
  expect(Object.keys(own).filter((name) => !(name in stats))).toEqual(['resident_bytes']);
  for (const { name, kind, help, value } of metrics) {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(['counter', 'gauge']).toContain(kind);
    expect(help).toMatch(/^\S.*\.$/);
    expect([name, Number.isFinite(value)]).toEqual([name, true]);
  }
  const served = metrics.filter(({ labels }) => labels.data_set === '');
  const values = Object.fromEntries(served.map(({ name, value }) => [name, value]));
  expect(values).toMatchObject({
    ...{ data_set_generation: 1, data_set_keys: 1, data_set_bytes: Number(stats.bytes) },
    ...{ data_set_installed_at: Number(stats.installed_at), data_set_loads_taken: 1 },
    ...{ data_set_drop_waiting_since: 0, data_set_last_load_error_at: 0 },
  });
  client.close();
});

test('of several data sets each has its own numbers, beside those of the same name', async () => {
  const folder = temporaryFolder();
  const dataSets = ['geo', 'users'].map((prefix) => {
    mkdirSync(join(folder, prefix));
    return { prefix, file: join(folder, prefix, 'data.json'), storage: 'json' };
  });
  const goromdb = await startDataSets({ address: ADDRESS, dataSets });
  onTestFinished(() => goromdb.close());
  drop(dataSets[0].file, '{"a":"1","b":"2"}');
  drop(dataSets[1].file, 'not json');
  const count = (i: number): DataSetStatus['counters'] => goromdb.status().dataSets[i].counters;
  await expect.poll(() => [count(0).loads_taken, count(1).loads_rejected]).toEqual([1, 1]);
  const metrics = goromdb.counters();
  const of = (name: string): unknown[] =>
    metrics.filter((one) => one.name === name).map(({ labels, value }) => [labels, value]);
  const geo = { data_set: 'geo' };
  const users = { data_set: 'users' };
  expect(of('data_set_keys')).toEqual([
    [geo, 2],
    [users, 0],
  ]);
  expect(of('data_set_loads_taken')).toEqual([
    [geo, 1],
    [users, 0],
  ]);
  expect(of('data_set_loads_rejected')).toEqual([
    [geo, 0],
    [users, 1],
  ]);
  expect(of('loads_taken')).toEqual([[{}, 1]]);
  const names = metrics.map(({ name }) => name);
  const groups = names.filter((name, i) => name !== names[i - 1]);
  expect(groups).toEqual([...new Set(names)]);
});
