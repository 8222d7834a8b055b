import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/common/log.ts';
import { connectEtcd } from '../../src/etcd/connect.ts';
import { encodeItem } from '../../src/once/item.ts';
import { warmCache } from '../../src/once/warm.ts';
import { FakeEtcd } from '../support/fake-etcd.ts';
import { PREFIX, startWholeNode, storeOn } from '../support/once-node.ts';

function put(etcd: FakeEtcd, key: string, value: string): void {
  const item = encodeItem({ value: Buffer.from(value), flags: 0, type: '' });
  etcd.put(PREFIX + key, item.toString('latin1'));
}

/** A store of its own whose cache is kept warm, and what it has. */
async function warmed(etcd: FakeEtcd, cacheBytes?: number) {
  const store = storeOn([etcd.url], cacheBytes);
  const client = connectEtcd({ endpoints: [etcd.url] });
  onTestFinished(() => client.close());
  const warmth = warmCache(client, PREFIX, store, silentLogger);
  onTestFinished(() => warmth.close());
  return (key: string) => store.cached(Buffer.from(key))?.value.toString();
}

test('a warm node answers what was there before it, and what others create, without asking etcd', async () => {
  const etcd = await FakeEtcd.start();
  put(etcd, 'old', '1');
  const [other, warm] = [
    await startWholeNode([etcd.url]),
    await startWholeNode([etcd.url], { warm: true }),
  ];
  const figures = async () => (await fetch(`${warm.url}/status`)).json();
  await expect.poll(figures).toMatchObject({ warmed: 1 });
  await fetch(`${other.url}/key`, { method: 'POST', body: '{"key":"new","value":"2"}' });
  await expect.poll(figures).toMatchObject({ warmed: 2 });
  const asked = etcd.asked.filter((path) => path === 'range').length;
  expect(await (await fetch(`${warm.url}/key/old`)).text()).toBe('1');
  expect(await (await fetch(`${warm.url}/key/new`)).text()).toBe('2');
  expect(etcd.asked.filter((path) => path === 'range').length).toBe(asked);
  // What it has not seen may be there all the same.
  expect((await fetch(`${warm.url}/key/none`)).status).toBe(404);
  expect(etcd.asked.filter((path) => path === 'range').length).toBe(asked + 1);
});

test('a list fills the cache and no more, and what comes later makes room for itself', async () => {
  const etcd = await FakeEtcd.start();
  for (let i = 10; i < 60; i++) put(etcd, `k${i}`, 'x'.repeat(1_000));
  const cached = await warmed(etcd, 26_000);
  await expect.poll(() => cached('k10')).toBeDefined();
  // Each of them takes some 1,800 bytes.
  expect(cached('k23')).toBeDefined();
  expect(cached('k24')).toBe(undefined);
  put(etcd, 'late', 'y');
  await expect.poll(() => cached('late')).toBe('y');
});

test('what was created while the watch was broken is learned when it goes on, or by a new list', async () => {
  const etcd = await FakeEtcd.start();
  put(etcd, 'a', '1');
  const cached = await warmed(etcd);
  await expect.poll(() => cached('a')).toBe('1');
  etcd.cutWatches();
  put(etcd, 'b', '2');
  await expect.poll(() => cached('b')).toBe('2');
  etcd.compactedBelow = 1_000;
  etcd.cutWatches();
  put(etcd, 'c', '3');
  await expect.poll(() => cached('c')).toBe('3');
});

test('what another program has written below the prefix is not taken for a value', async () => {
  const etcd = await FakeEtcd.start();
  etcd.put(`${PREFIX}foreign`, 'text');
  put(etcd, 'twice', '1');
  put(etcd, 'twice', '2');
  put(etcd, 'well', '3');
  const cached = await warmed(etcd);
  await expect.poll(() => cached('well')).toBe('3');
  expect([cached('foreign'), cached('twice')]).toEqual([undefined, undefined]);
});
