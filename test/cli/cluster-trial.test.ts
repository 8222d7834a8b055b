import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { equalShards, splitRecords } from '../../src/build/split.ts';
import { runTrial } from '../../src/cli/cluster/trial.ts';
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
