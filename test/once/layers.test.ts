import { describe, expect, test } from 'vitest';
import { cacheStore } from '../../src/once/cache.ts';
import { withLayer } from '../../src/once/layers.ts';
import type { Layer, Reading, Store, Wish } from '../../src/once/once.ts';

const FAULT: Reading = { kind: 'unavailable', why: 'the disk of the base is gone' };

/** A sealed base of old keys, whose reads of one key fail. */
const base: Layer = {
  async read(key) {
    if (String(key) === 'faulty') return FAULT;
    if (!String(key).startsWith('old')) return { kind: 'absent' };
    const item = { value: Buffer.from(`base of ${key}`), flags: 0, type: '', revision: 1 };
    return { kind: 'found', item };
  },
};

function wish(key: string, value: string): Wish {
  return { key: Buffer.from(key), value: Buffer.from(value), flags: 0, type: '' };
}

/** What stands for etcd, and notes what it was asked. */
class Etcd implements Store {
  readonly asked: string[] = [];
  async read(key: Buffer): Promise<Reading> {
    this.asked.push(`read ${key}`);
    if (String(key) !== 'new') return { kind: 'absent' };
    return { kind: 'found', item: { ...wish('new', 'etcd'), revision: 9 } };
  }
  create: Store['create'] = async (one) => {
    this.asked.push(`create ${one.key}`);
    return { kind: 'created', item: { ...one, revision: 10 } };
  };
  createAll: Store['createAll'] = async (wishes) => {
    this.asked.push(`create all of ${wishes.map(({ key }) => key)}`);
    return wishes.map((one) => ({ kind: 'created', item: { ...one, revision: 11 } }));
  };
}

/** A node: the cache, the base, etcd. */
function node(): { readonly etcd: Etcd; readonly store: Store } {
  const etcd = new Etcd();
  return { etcd, store: cacheStore(withLayer(base, etcd), 1e6) };
}

async function read(store: Store, key: string): Promise<string> {
  const reading = await store.read(Buffer.from(key));
  return reading.kind === 'found' ? String(reading.item.value) : reading.kind;
}

describe('behind a base of old keys', () => {
  test('a key of the base is read without etcd, and then from the cache', async () => {
    const { etcd, store } = node();
    expect(await read(store, 'old1')).toBe('base of old1');
    expect(await read(store, 'old1')).toBe('base of old1');
    expect(etcd.asked).toEqual([]);
  });

  test('what the base does not have is read from etcd, and only etcd says that it is absent', async () => {
    const { etcd, store } = node();
    expect(await read(store, 'new')).toBe('etcd');
    expect(await read(store, 'none')).toBe('absent');
    expect(etcd.asked).toEqual(['read new', 'read none']);
  });

  test('a fault of the base is no absence, whatever etcd would say', async () => {
    const { etcd, store } = node();
    expect(await store.read(Buffer.from('faulty'))).toEqual(FAULT);
    expect(await store.create(wish('faulty', 'x'))).toEqual(FAULT);
    expect(etcd.asked).toEqual([]);
  });

  test('a creation of a key of the base is a comparison with its value', async () => {
    const { etcd, store } = node();
    expect(await store.create(wish('old1', 'base of old1'))).toMatchObject({ kind: 'same' });
    expect(await store.create(wish('old1', 'other'))).toMatchObject({ kind: 'conflict' });
    expect(await store.create({ ...wish('old2', 'base of old2'), flags: 1 })).toMatchObject({
      kind: 'conflict',
    });
    expect(etcd.asked).toEqual([]);
  });

  test('of all other keys etcd decides', async () => {
    const { etcd, store } = node();
    expect(await store.create(wish('k', 'v'))).toMatchObject({ kind: 'created' });
    expect(etcd.asked).toEqual(['create k']);
  });

  test('of many keys, those that the base does not have go to etcd in one request, in their order', async () => {
    const { etcd, store } = node();
    const creations = await store.createAll([
      ...[wish('a', 'v'), wish('old1', 'base of old1'), wish('b', 'v')],
      ...[wish('faulty', 'v'), wish('old2', 'v'), wish('c', 'v')],
    ]);
    expect(creations.map(({ kind }) => kind)).toEqual([
      ...['created', 'same', 'created', 'unavailable', 'conflict', 'created'],
    ]);
    expect(etcd.asked).toEqual(['create all of a,b,c']);
    expect(await store.createAll([wish('old1', 'base of old1')])).toMatchObject([{ kind: 'same' }]);
    expect(etcd.asked.length).toBe(1);
  });
});
