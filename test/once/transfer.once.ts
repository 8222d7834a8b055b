import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { exportRecords } from '../../src/cli/once/export.ts';
import { connectEtcd } from '../../src/etcd/connect.ts';
import { startTrialCluster } from '../../src/once/trial/trial.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { PREFIX, serveHttp, storeOn } from '../support/once-node.ts';

const POPULATE = fileURLToPath(new URL('../../examples/once/populate.sh', import.meta.url));

test('10,000 keys and the largest values come out as they went in', async () => {
  const { endpoints, close } = await startTrialCluster(temporaryFolder(), 1);
  onTestFinished(close);
  const large = Array.from({ length: 30 }, (_, i) => [`large${i}`, 'x'.repeat(2 ** 20)]);
  const small = Array.from({ length: 10_000 }, (_, i) => [`k${i}`, `v${i}`]);
  const lines = [...large, ...small].map(([key, value]) => JSON.stringify({ key, value }));
  const folder = temporaryFolder();
  const [input, out] = ['in.jsonl', 'out.db'].map((name) => join(folder, name));
  writeFileSync(input, lines.join('\n'));
  const imported = new GoromdbProcess(['once', 'import', '-etcd', endpoints[0], input]);
  expect(await imported.exit()).toBe(0);
  expect(imported.stdout).toBe('10,030 keys created, 0 keys unchanged\n');
  const exported = new GoromdbProcess(['once', 'export', '-etcd', endpoints[0], '-o', out]);
  expect(await exported.exit()).toBe(0);
  const diff = new GoromdbProcess(['diff', input, out]);
  expect(await diff.exit()).toBe(0);
});

test('an export has the keys of one moment, whatever is created meanwhile', async () => {
  const { endpoints, close } = await startTrialCluster(temporaryFolder(), 1);
  onTestFinished(close);
  const store = storeOn(endpoints);
  const wish = (name: string) => {
    return { key: Buffer.from(name), value: Buffer.from(name), flags: 0, type: '' };
  };
  await store.createAll(Array.from({ length: 500 }, (_, i) => wish(`k${i}`)));
  const etcd = connectEtcd({ endpoints });
  onTestFinished(() => etcd.close());
  let created: Promise<unknown> | undefined;
  const keys: string[] = [];
  const meddling = {
    ...etcd,
    range: async (range: Parameters<typeof etcd.range>[0]) => {
      const found = await etcd.range(range);
      created ??= store.create(wish('z'));
      await created;
      return found;
    },
  };
  const { signal } = new AbortController();
  const sink = {
    add: (key: Uint8Array, start: number, end: number) =>
      void keys.push(Buffer.from(key.subarray(start, end)).toString()),
  };
  expect((await exportRecords(meddling, PREFIX, sink, signal)).keys).toBe(500);
  expect(keys).not.toContain('z');
  expect(await store.read(Buffer.from('z'))).toMatchObject({ kind: 'found' });
});

test('a snapshot of etcd that is restored has the keys, and goes on', async () => {
  const folder = temporaryFolder();
  const first = await startTrialCluster(join(folder, 'first'), 1);
  onTestFinished(first.close);
  const wish = { key: Buffer.from('k'), value: Buffer.from('v'), flags: 0, type: 'text/plain' };
  await storeOn(first.endpoints).create(wish);
  const snapshot = join(folder, 'once.snapshot');
  const env = { ...process.env, ETCDCTL_API: '3' };
  const ctl = (...args: readonly string[]) => execFileSync('etcdctl', args, { env, stdio: 'pipe' });
  ctl(`--endpoints=${first.endpoints[0]}`, 'snapshot', 'save', snapshot);
  await first.close();
  ctl('snapshot', 'restore', snapshot, `--data-dir=${join(folder, 'second', 'e1')}`);
  const second = await startTrialCluster(join(folder, 'second'), 1);
  onTestFinished(second.close);
  const restored = storeOn(second.endpoints);
  expect(await restored.read(wish.key)).toMatchObject({ item: { type: 'text/plain' } });
  expect(await restored.create(wish)).toMatchObject({ kind: 'same' });
  expect(await restored.create({ ...wish, value: Buffer.from('x') })).toMatchObject({
    kind: 'conflict',
  });
});

test('examples/once/populate.sh creates keys, and counts what came of them', async () => {
  const cluster = await startTrialCluster(temporaryFolder(), 1);
  onTestFinished(cluster.close);
  const url = await serveHttp(storeOn(cluster.endpoints));
  const populate = async (count: number) =>
    (await promisify(execFile)(POPULATE, [url, String(count)])).stdout.replaceAll(/ +/g, ' ');
  expect(await populate(1_001)).toBe(' 1001 "code":"CREATED"\n');
  expect(await populate(1_002)).toBe(' 1 "code":"CREATED"\n 1001 "code":"SAME"\n');
  expect(await (await fetch(`${url}/key/key-1001`)).text()).toBe('value key-1001');
});

test('examples/once/populate.sh fails, and says so, when nobody answers', async () => {
  // Nobody listens on port 1.
  const failed = promisify(execFile)(POPULATE, ['http://127.0.0.1:1', '2']);
  await expect(failed).rejects.toMatchObject({
    ...{ code: 1, stdout: '' },
    stderr: expect.stringMatching(/http:\/\/127.0.0.1:1 did not take keys 1 to 2: .*run it again/),
  });
});
