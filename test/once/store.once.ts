import { expect, onTestFinished, test } from 'vitest';
import { VALUE_BYTES_MAX, WISHES_MAX } from '../../src/once/limits.ts';
import type { Wish } from '../../src/once/once.ts';
import { startTrialCluster, type TrialCluster } from '../../src/once/trial/trial.ts';
import { temporaryFolder } from '../support/folder.ts';
import { serveHttp, startWholeNode, storeOn } from '../support/once-node.ts';

async function cluster(count = 1, flags: readonly string[] = []): Promise<TrialCluster> {
  const started = await startTrialCluster(temporaryFolder(), count, flags);
  onTestFinished(() => started.close());
  return started;
}

function wish(key: string, value: string | Buffer): Wish {
  return { key: Buffer.from(key), value: Buffer.from(value), flags: 0, type: '' };
}

test('a real etcd creates a key once, and every node finds its bytes', async () => {
  const { endpoints } = await cluster();
  const node = storeOn(endpoints);
  const bytes = Buffer.from(Array.from({ length: VALUE_BYTES_MAX }, (_, i) => i % 251));
  expect(await node.create(wish('a', bytes))).toMatchObject({ kind: 'created' });
  expect(await node.create(wish('a', bytes))).toMatchObject({ kind: 'same' });
  expect(await node.create(wish('a', 'other'))).toMatchObject({ kind: 'conflict' });
  const reading = await storeOn(endpoints).read(Buffer.from('a'));
  expect(reading.kind === 'found' && reading.item.value.equals(bytes)).toBe(true);
});

test('a real etcd takes the largest batch, and each key of it has its own outcome', async () => {
  const { endpoints } = await cluster();
  // Another node has them in its cache.
  const other = storeOn(endpoints);
  await other.create(wish('k3', 'v'));
  await other.create(wish('k4', 'other'));
  const node = storeOn(endpoints);
  const wishes = Array.from({ length: WISHES_MAX }, (_, i) => wish(`k${i}`, 'v'));
  const kinds = (await node.createAll(wishes)).map(({ kind }) => kind);
  expect(kinds.splice(3, 2)).toEqual(['same', 'conflict']);
  expect(new Set(kinds)).toEqual(new Set(['created']));
});

test('a full database refuses to create with 507, and reads go on, of nodes that have never read', async () => {
  const { endpoints } = await cluster(1, ['--quota-backend-bytes', String(4 * 1024 * 1024)]);
  const url = await serveHttp(storeOn(endpoints));
  const create = async (key: string, body: Buffer): Promise<number> => {
    const init = { method: 'PUT', body: new Uint8Array(body), headers: { 'if-none-match': '*' } };
    return (await fetch(`${url}/key/${key}`, init)).status;
  };
  // Its cache has nothing of what the other one creates.
  const otherUrl = await serveHttp(storeOn(endpoints));
  expect(await create('first', Buffer.from('v'))).toBe(201);
  const there = Array.from({ length: 300 }, (_, i) => ({ key: `before${i}`, value: 'v' }));
  await fetch(`${url}/keys`, { method: 'POST', body: JSON.stringify(there) });
  let last = 0;
  for (let i = 0; last !== 507 && i < 20; i++) {
    last = await create(`k${i}`, Buffer.alloc(VALUE_BYTES_MAX, i));
  }
  expect(last).toBe(507);
  expect(await create('small', Buffer.from('v'))).toBe(507);
  const list = [{ key: 'a' }, { key: 'b' }].map(({ key }) => ({ key, value: 'v' }));
  const many = await fetch(`${url}/keys`, { method: 'POST', body: JSON.stringify(list) });
  expect(await many.json()).toMatchObject({ results: [{ status: 507 }, { status: 507 }] });
  // That it has another value, or this one, can be said.
  expect(await create('first', Buffer.from('v'))).toBe(200);
  expect(await create('first', Buffer.from('other'))).toBe(409);
  const again = await fetch(`${otherUrl}/keys`, {
    method: 'POST',
    body: JSON.stringify([{ key: 'a', value: 'v' }, ...there]),
  });
  const { results } = (await again.json()) as { results: { status: number }[] };
  expect(results.shift()).toMatchObject({ status: 507 });
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set([200]));
  const get = async (key: string): Promise<number> =>
    (await fetch(`${otherUrl}/key/${key}`)).status;
  expect([await get('first'), await get('k0'), await get('small'), await get('a')]).toEqual([
    ...[200, 200, 404, 404],
  ]);
});

test('without a quorum nothing is said to be absent, and nothing is said to have failed that may have been done', async () => {
  const { endpoints, members } = await cluster(3);
  const node = storeOn(endpoints);
  await node.create(wish('known', 'v'));
  for (const { child } of members.slice(1)) child.kill('SIGKILL');
  expect(await node.read(Buffer.from('known'))).toMatchObject({ kind: 'found' });
  expect(await node.read(Buffer.from('absent'))).toMatchObject({ kind: 'unavailable' });
  expect(['unknown', 'unavailable']).toContain((await node.create(wish('new', 'v'))).kind);
});

test('a warm node answers what others have created while members were killed, and without a quorum too', async () => {
  const { endpoints, members, ready } = await cluster(3);
  const [other, warm] = [
    await startWholeNode(endpoints),
    await startWholeNode(endpoints, { warm: true }),
  ];
  const created = async (from: number): Promise<void> => {
    for (let i = from; i < from + 200; i++) {
      const init = { method: 'POST', body: JSON.stringify({ key: `k${i}`, value: `v${i}` }) };
      while (!(await fetch(`${other.url}/key`, init)).ok);
    }
  };
  await created(0);
  for (const [i, { child, restart }] of members.entries()) {
    child.kill('SIGKILL');
    await created(200 * (i + 1));
    restart();
    await ready();
  }
  const warmed = async (): Promise<unknown> => {
    return ((await (await fetch(`${warm.url}/status`)).json()) as { warmed: number }).warmed;
  };
  await expect.poll(warmed).toBe(800);
  for (const { child } of members) child.kill('SIGKILL');
  for (let i = 0; i < 800; i += 7) {
    expect(await (await fetch(`${warm.url}/key/k${i}`)).text()).toBe(`v${i}`);
  }
});
