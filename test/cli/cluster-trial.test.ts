import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { equalShards, splitRecords } from '../../src/build/split.ts';
import { runTrial } from '../../src/cli/cluster/trial.ts';
import { lastSaid } from '../../src/cli/cluster/trial-nodes.ts';
import { parseAddress } from '../../src/common/address.ts';
import { lockFolder } from '../../src/control/folder-lock.ts';
import type { TcpAddress } from '../../src/shards/shards.ts';
import { temporaryFolder } from '../support/folder.ts';

const TCP = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;

test.each([
  ['names', (i: number) => ({ name: `users${i}` })],
  [
    'slots',
    (i: number) => ({ slots: i === 0 ? { first: 0, last: 99 } : { first: 100, last: 16_383 } }),
  ],
])('a trial starts no nodes for shards of other %s', async (_what, change) => {
  const dir = join(temporaryFolder(), 'shards');
  const input = join(temporaryFolder(), 'in.json');
  writeFileSync(input, '{"a":"1"}');
  const { hash, shards } = equalShards(2);
  const into = { hash, shards: shards.map((shard, i) => ({ ...shard, ...change(i) })) };
  await splitRecords({ dir, into, set: 'users', inputs: [input] });
  const trial = { shards: 2, replicas: 1, dir, address: TCP, clusterAddress: TCP };
  const run = runTrial({ ...trial, records: { inputs: [] } }, AbortSignal.timeout(60_000));
  await expect(run).rejects.toThrow(
    'expected 2 shards as goromdb split -shards 2 makes them, found',
  );
  expect(existsSync(join(dir, 'shards.toml'))).toBe(false);
});

test.each([
  ['a node', 'nodes/shard1-0/state', `its node shard1-0 runs (pid ${process.pid} on `],
  ['another trial that starts', '.', `is in use by another goromdb (pid ${process.pid} on `],
])('a trial changes nothing in a folder that %s uses', async (_what, folder, message) => {
  const dir = temporaryFolder();
  mkdirSync(join(dir, folder), { recursive: true });
  const there = readdirSync(dir, { recursive: true });
  const lock = await lockFolder(join(dir, folder));
  const trial = { shards: 2, replicas: 1, dir, address: TCP, clusterAddress: TCP };
  const run = runTrial({ ...trial, records: { inputs: [] } }, AbortSignal.abort());
  await expect(run).rejects.toMatchObject({
    code: 'FOLDER_IN_USE',
    message: expect.stringContaining(message),
  });
  expect(readdirSync(dir, { recursive: true })).toEqual(there);
  await lock.release();
});

test.each([
  ['0.0.0.0:21211', '127.0.0.1:0', /toml:5: address: expected a host .*found "0\.0\.0\.0:21211"/],
  ['127.0.0.1:65535', '127.0.0.1:0', /address: expected "host:port".*found "127\.0\.0\.1:65536"/],
  ['127.0.0.1:2000', '127.0.0.1:2001', /"127\.0\.0\.1:2001" is there twice/],
])('with -addr %s and -cluster-addr %s no node starts', async (first, second, message) => {
  const dir = temporaryFolder();
  const [address, clusterAddress] = [first, second].map(parseAddress) as TcpAddress[];
  const trial = { shards: 2, replicas: 1, dir, address, clusterAddress };
  const run = runTrial({ ...trial, records: { inputs: [] } }, AbortSignal.timeout(60_000));
  await expect(run).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringMatching(message),
  });
  expect(existsSync(join(dir, 'nodes'))).toBe(false);
});

test.each([
  ['1 info starts\ngoromdb: -x is wrong\nRun for flags.\n', '-x is wrong'],
  ['goromdb: one\ngoromdb: two\n', 'two'],
  ['no such program\n', 'no such program'],
  ['', ''],
])('of the log %j the line that says why is shown', (log, said) => {
  expect(lastSaid(log)).toBe(said);
});
