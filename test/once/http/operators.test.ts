import { expect, test } from 'vitest';
import { FakeEtcd } from '../../support/fake-etcd.ts';
import { startWholeNode } from '../../support/once-node.ts';

test('/metrics has what the node was asked, by what came of it', async () => {
  const { url } = await startWholeNode([(await FakeEtcd.start()).url]);
  const create = (value: string) =>
    fetch(`${url}/key`, { method: 'POST', body: JSON.stringify({ key: 'foo', value }) });
  await create('bar');
  await create('bar');
  await create('baz');
  await fetch(`${url}/key/foo`);
  await fetch(`${url}/key/none`);
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toContain('version=0.0.4');
  const lines = (await response.text()).split('\n');
  for (const result of ['created', 'same', 'conflict']) {
    expect(lines).toContain(`goromdb_once_creates_total{result="${result}"} 1`);
  }
  expect(lines).toContain('goromdb_once_gets_total{result="hit"} 1');
  expect(lines).toContain('goromdb_once_gets_total{result="absent"} 1');
  expect(lines).toContain('goromdb_once_gets_total{result="found"} 0');
});

test('/admin is one page that runs its own script, and none other', async () => {
  const { url } = await startWholeNode([(await FakeEtcd.start()).url]);
  const response = await fetch(`${url}/admin`);
  const policy = String(response.headers.get('content-security-policy'));
  expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-\S+'; style-src 'sha256-/);
  expect(await response.text()).not.toMatch(/https?:\/\/(?!www\.w3\.org)|\son[a-z]+=|style=/);
});

test('these paths are read, and nothing else', async () => {
  const { url } = await startWholeNode([(await FakeEtcd.start()).url]);
  for (const path of ['admin', 'api/overview', 'metrics', 'status', 'healthz']) {
    const response = await fetch(`${url}/${path}`, { method: 'POST' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const head = await fetch(`${url}/${path}`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  }
});
