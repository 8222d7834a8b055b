import { expect, onTestFinished, test, vi } from 'vitest';
import type { Overview } from '../../src/once/overview.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { FakeEtcd } from '../support/fake-etcd.ts';
import { startWholeNode } from '../support/once-node.ts';

async function overviewOf(url: string): Promise<Overview> {
  return (await fetch(`${url}/api/overview`)).json() as Promise<Overview>;
}

/** The nodes that a node shows, itself first, each with whether it answers. */
async function shownBy(url: string): Promise<readonly (readonly [string | undefined, boolean])[]> {
  const { nodes } = await overviewOf(url);
  return nodes.map((node) => [node.url, node.figures !== undefined] as const);
}

test('a node is shown by the others while it runs, with what it was asked, and not after its end', async () => {
  const etcd = await FakeEtcd.start();
  const [a, b] = [await startWholeNode([etcd.url]), await startWholeNode([etcd.url])];
  await fetch(`${b.url}/key`, { method: 'POST', body: '{"key":"foo","value":"bar"}' });
  await expect
    .poll(() => shownBy(a.url))
    .toEqual([
      [a.url, true],
      [b.url, true],
    ]);
  const { nodes, members, keys, self } = await overviewOf(a.url);
  expect(nodes[0].id).toBe(self);
  expect(nodes[1].figures).toMatchObject({ created: 1, conflicts: 0, gets: 0, cachedItems: 1 });
  // What nodes are registered by is no key.
  expect(keys).toBe(1);
  expect(members).toMatchObject([
    { name: 'e1', state: 'leader', databaseBytes: 4096, quotaBytes: 2 ** 31, term: 3, faults: [] },
  ]);
  await b.close();
  await expect.poll(() => shownBy(a.url)).toEqual([[a.url, true]]);
  expect(etcd.keys.size).toBe(2);
});

test('a node that does not answer is shown as such, until its lease is over', async () => {
  const etcd = await FakeEtcd.start();
  const node = await startWholeNode([etcd.url]);
  const facts = { id: 'x', host: 'h', pid: 1, version: '1', startedAt: '2026-11-28T00:00:00Z' };
  etcd.put('/goromdb/once/\0nodes/x', JSON.stringify({ ...facts, url: 'http://127.0.0.1:1' }));
  // The port is another node's now.
  etcd.put('/goromdb/once/\0nodes/y', JSON.stringify({ ...facts, id: 'y', url: node.url }));
  etcd.put('/goromdb/once/\0nodes/z', '{"id":7}');
  const { nodes } = await overviewOf(node.url);
  expect(nodes.slice(1).map(({ id, why }) => [id, why])).toEqual([
    ['x', expect.stringContaining('ECONNREFUSED')],
    ['y', 'another node answers there'],
  ]);
});

test('a node registers again when etcd refuses it at first, and when its lease is lost', async () => {
  const etcd = await FakeEtcd.start();
  etcd.mishaps.set('grant', { status: 403, code: 7, message: 'etcdserver: permission denied' });
  const logger = collectingLogger();
  await startWholeNode([etcd.url], {}, logger);
  await expect.poll(() => logger.lines.join()).toMatch(/not registered.*permission denied/);
  etcd.mishaps.clear();
  await expect.poll(() => logger.lines.join()).toContain('this node is registered');
  etcd.expireLeases();
  expect(etcd.keys.size).toBe(0);
  await expect.poll(() => etcd.keys.size).toBe(1);
});

test('however many look, etcd is asked once in a while', async () => {
  // For as long as they look, however long that takes here.
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const etcd = await FakeEtcd.start();
  const node = await startWholeNode([etcd.url]);
  await Promise.all(Array.from({ length: 50 }, () => overviewOf(node.url)));
  expect(etcd.asked.filter((path) => path === 'list').length).toBe(1);
});

test('a node without etcd shows itself, and why it knows nothing of the others', async () => {
  const etcd = await FakeEtcd.start();
  const node = await startWholeNode([etcd.url]);
  etcd.close();
  const overview = await overviewOf(node.url);
  expect(overview).toMatchObject({ nodes: [{ url: node.url }], members: [{ state: 'silent' }] });
  expect(overview.nodesFault).toContain('ECONNREFUSED');
  expect(overview.keys).toBe(undefined);
});

test('a login in a URL of etcd is not shown', async () => {
  const etcd = await FakeEtcd.start();
  const node = await startWholeNode([etcd.url.replace('//', '//user:secret@')]);
  expect(JSON.stringify(await overviewOf(node.url))).not.toContain('secret');
});
