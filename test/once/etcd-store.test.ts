import { expect, test } from 'vitest';
import { createEtcdStore } from '../../src/once/etcd-store.ts';
import { encodeItem } from '../../src/once/item.ts';
import type { Wish } from '../../src/once/once.ts';
import { FakeEtcd } from '../support/fake-etcd.ts';
import { clientOf, PREFIX } from '../support/once-node.ts';

const COUNT = 100;
const WISHES: readonly Wish[] = Array.from({ length: COUNT }, (_, i) => {
  return { key: Buffer.from(`k${i}`), value: Buffer.from('v'), flags: 0, type: '' };
});

/** An etcd that has the first keys, some of them with something else than what is to be created. */
async function etcdWith(count: number) {
  const etcd = await FakeEtcd.start();
  const store = createEtcdStore(clientOf([etcd.url]), { prefix: PREFIX });
  const put = (i: number, value: Buffer | string): void =>
    etcd.put(`${PREFIX}k${i}`, String(value));
  for (let i = 0; i < count; i++) put(i, encodeItem(WISHES[i]));
  put(1, encodeItem({ ...WISHES[1], value: Buffer.from('other') }));
  put(2, encodeItem({ ...WISHES[2], flags: 1 }));
  put(3, encodeItem({ ...WISHES[3], type: 'text/plain' }));
  put(4, 'of another program');
  const kinds = async () => (await store.createAll(WISHES)).map(({ kind }) => kind);
  return { etcd, store, kinds };
}

const OTHERS = ['same', 'conflict', 'conflict', 'same', 'unavailable'];

test('of many keys that are there, etcd compares the values, and only those that differ are read', async () => {
  const { etcd, store } = await etcdWith(COUNT);
  const creations = await store.createAll(WISHES);
  expect(creations.slice(0, 5).map(({ kind }) => kind)).toEqual(OTHERS);
  // The first type stays.
  expect(creations[3]).toMatchObject({ item: { type: 'text/plain' } });
  expect(new Set(creations.slice(5).map(({ kind }) => kind))).toEqual(new Set(['same']));
  const { created } = etcd.keys.get(Buffer.from(`${PREFIX}k50`).toString('base64'))!;
  expect(creations[50]).toEqual({ kind: 'same', item: { ...WISHES[50], revision: created } });
  expect(etcd.asked.filter((path) => path === 'range').length).toBe(4);
});

test('a full etcd is not asked for each key that is new', async () => {
  const { etcd, kinds } = await etcdWith(50);
  etcd.isFull = true;
  const came = await kinds();
  expect(came.slice(0, 5)).toEqual(OTHERS);
  expect(new Set(came.slice(5, 50))).toEqual(new Set(['same']));
  expect(new Set(came.slice(50))).toEqual(new Set(['full']));
  expect(etcd.asked.filter((path) => path === 'range').length).toBe(4);
});

test('keys that etcd does not compare are read', async () => {
  const { etcd, kinds } = await etcdWith(COUNT);
  etcd.mishaps.set('txn', { status: 429, code: 8, message: 'mvcc: database space exceeded' });
  const came = await kinds();
  expect(came.slice(0, 5)).toEqual(OTHERS);
  expect(new Set(came.slice(5))).toEqual(new Set(['same']));
});

test('of keys that were removed meanwhile, nothing is said but that', async () => {
  const { etcd, store } = await etcdWith(COUNT);
  const asked = clientOf([etcd.url]);
  let transactions = 0;
  const late = createEtcdStore(
    {
      range: asked.range,
      transact(transaction) {
        // The third one compares.
        if (++transactions === 3)
          for (const key of etcd.keys.keys()) etcd.remove(Buffer.from(key, 'base64').toString());
        return asked.transact(transaction);
      },
    },
    { prefix: PREFIX },
  );
  const why = 'the key was removed from etcd';
  expect(await late.createAll(WISHES)).toEqual(WISHES.map(() => ({ kind: 'unavailable', why })));
  expect((await store.createAll(WISHES)).every(({ kind }) => kind === 'created')).toBe(true);
});
