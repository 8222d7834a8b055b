import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Etcd } from '../../src/etcd/etcd.ts';
import { createEtcdStore } from '../../src/once/etcd-store.ts';
import { type Commit, GroupCommit } from '../../src/once/group-commit.ts';
import {
  SENT_BYTES_MAX,
  SIDE_KEYS_MIN,
  TRANSACTION_BYTES_MAX,
  TRANSACTION_KEYS_MAX,
  TRANSACTION_STALLED_MS,
  TRANSACTIONS_MAX,
  WAITING_MAX,
} from '../../src/once/limits.ts';
import type { Creation, Wish } from '../../src/once/once.ts';
import { FakeEtcd } from '../support/fake-etcd.ts';
import { clientOf, PREFIX, serveHttp, storeOnFake } from '../support/once-node.ts';

function wish(key: string, value: string | Buffer = 'v'): Wish {
  return { key: Buffer.from(key), value: Buffer.from(value), flags: 0, type: '' };
}

function wishes(count: number, prefix = 'k'): readonly Wish[] {
  return Array.from({ length: count }, (_, i) => wish(`${prefix}${i}`));
}

async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A commit whose transactions end when the test says so. */
function slowCommit(): {
  readonly commit: Commit;
  /** The keys of each transaction so far. */
  readonly sent: (readonly string[])[];
  /** Ends one: all its keys are created, or come to something else. */
  end(transaction: number, creation?: Creation): Promise<void>;
} {
  const sent: (readonly string[])[] = [];
  const ends: ((creation: Creation | undefined) => void)[] = [];
  return {
    sent,
    commit: (group) => {
      sent.push(group.map(({ key }) => String(key)));
      return new Promise((resolve) => {
        ends.push((creation) =>
          resolve(
            group.map((one) => creation ?? { kind: 'created', item: { ...one, revision: 2 } }),
          ),
        );
      });
    },
    async end(transaction, creation) {
      ends[transaction](creation);
      await turn();
    },
  };
}

/** A group commit that waits for a transaction. */
async function busyGroup(msMax?: number) {
  const slow = slowCommit();
  const group = new GroupCommit(slow.commit, msMax);
  const busy = group.create(wish('busy'));
  await turn();
  expect(slow.sent).toEqual([['busy']]);
  return { ...slow, group, busy };
}

describe('creates beside a transaction that is under way', () => {
  // A busy machine must not make a transaction a slow one.
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => vi.useRealTimers());

  test('a create that comes alone is sent at once, and those that come meanwhile go together', async () => {
    const { group, sent, end } = await busyGroup();
    const creations = wishes(5).map((one) => group.create(one));
    await turn();
    expect(sent.length).toBe(1);
    await end(0);
    expect(sent[1]).toEqual(['k0', 'k1', 'k2', 'k3', 'k4']);
    await end(1);
    expect((await Promise.all(creations)).map(({ kind }) => kind)).toEqual(
      Array(5).fill('created'),
    );
  });

  test('many that wait do not wait for a slow transaction: a few more begin beside it', async () => {
    const { group, sent } = await busyGroup();
    for (let i = 1; i < 10; i++) {
      void wishes(SIDE_KEYS_MIN - 1, `a${i}:`).map((one) => group.create(one));
      await turn();
      void group.create(wish(`b${i}`));
      await turn();
    }
    expect(sent.length).toBe(TRANSACTIONS_MAX);
    expect(sent.slice(1).map(({ length }) => length)).toEqual(
      Array(TRANSACTIONS_MAX - 1).fill(SIDE_KEYS_MIN),
    );
  });

  test('a transaction has at most so many keys and bytes, and the rest goes into the next ones in its order', async () => {
    const { group, sent, end } = await busyGroup();
    const many = wishes(TRANSACTION_KEYS_MAX + 2);
    const half = Buffer.alloc(TRANSACTION_BYTES_MAX / 2);
    const large = ['large0', 'large1', 'large2'].map((key) => wish(key, half));
    void [...many, ...large].map((one) => group.create(one));
    for (let i = 0; i < 5; i++) if (i < sent.length) await end(i);
    const groups = sent.slice(1);
    expect(groups.map(({ length }) => length)).toEqual([TRANSACTION_KEYS_MAX, 3, 1, 1]);
    expect(groups.flat()).toEqual([...many, ...large].map(({ key }) => String(key)));
  });

  test('of racers for one key that wait, the first is sent, and the others find what it has created', async () => {
    const { group, sent, end } = await busyGroup();
    const racers = Array.from({ length: 100 }, (_, i) => group.create(wish('k', `v${i % 10}`)));
    const other = group.create(wish('other'));
    await end(0);
    expect(sent[1]).toEqual(['k', 'other']);
    await end(1);
    const kinds = (await Promise.all(racers)).map(({ kind }) => kind);
    expect(kinds[0]).toBe('created');
    expect(kinds.filter((kind) => kind === 'same').length).toBe(9);
    expect(kinds.filter((kind) => kind === 'conflict').length).toBe(90);
    expect((await other).kind).toBe('created');
  });

  test('a create of a key that is being created waits for the next transaction', async () => {
    const { group, sent, end } = await busyGroup();
    void group.create(wish('busy'));
    await end(0);
    expect(sent[1]).toEqual(['busy']);
  });

  test('what came of one transaction says nothing of others', async () => {
    const { group, busy, end } = await busyGroup();
    const [waiting, racer] = [group.create(wish('k')), group.create(wish('k'))];
    await end(0, { kind: 'unknown', why: 'cut' });
    expect(await busy).toEqual({ kind: 'unknown', why: 'cut' });
    await end(1);
    expect((await waiting).kind).toBe('created');
    expect((await racer).kind).toBe('same');
  });

  test('a transaction whose answer does not come holds up those that wait for a moment only', async () => {
    const { group, sent } = await busyGroup();
    void group.create(wish('k'));
    vi.advanceTimersByTime(TRANSACTION_STALLED_MS);
    await turn();
    expect(sent[1]).toEqual(['k']);
  });

  test('transactions whose answers do not come take bounded memory, and those that wait go when they end', async () => {
    const { group, sent, end } = await busyGroup();
    const value = Buffer.alloc(TRANSACTION_BYTES_MAX / 2);
    const count = (4 * SENT_BYTES_MAX) / value.length;
    for (let i = 0; i < count; i++) {
      void group.create(wish(`large${i}`, value));
      vi.advanceTimersByTime(TRANSACTION_STALLED_MS);
      await turn();
    }
    const keys = sent.slice(1).flat().length;
    expect(keys * value.length).toBeGreaterThan(SENT_BYTES_MAX / 2);
    expect(keys * value.length).toBeLessThan(SENT_BYTES_MAX + 4 * TRANSACTION_BYTES_MAX);
    const before = sent.length;
    for (let i = 0; i < before; i++) await end(i);
    expect(sent.length).toBeGreaterThan(before);
  });

  test('the time of a create counts from when it came: one that was sent is unknown, one that waits is not done', async () => {
    const { group, busy, sent, end } = await busyGroup(50);
    vi.advanceTimersByTime(20);
    const waiting = group.create(wish('late'));
    vi.advanceTimersByTime(30);
    expect(await busy).toMatchObject({ kind: 'unknown' });
    expect(await Promise.race([waiting, 'it waits'])).toBe('it waits');
    vi.advanceTimersByTime(20);
    expect(await waiting).toMatchObject({ kind: 'unavailable' });
    await end(0);
    expect(sent.flat()).not.toContain('late');
  });

  test('many of one request are a transaction of their own, whatever single keys wait', async () => {
    const { group, sent, end } = await busyGroup();
    const single = group.create(wish('m1'));
    const many = group.createAll(wishes(SIDE_KEYS_MIN, 'm'));
    const behind = group.create(wish('m2'));
    const few = group.createAll(wishes(SIDE_KEYS_MIN - 1, 'f'));
    await end(0);
    // It is enough for transactions beside the first.
    expect(sent.slice(1, 3)).toEqual([
      ['m1'],
      wishes(SIDE_KEYS_MIN, 'm').map(({ key }) => `${key}`),
    ]);
    for (let i = 1; i < 4; i++) if (i < sent.length) await end(i);
    expect(sent[3].slice(0, 2)).toEqual(['m2', 'f0']);
    expect((await many).map(({ kind }) => kind)).toEqual(Array(SIDE_KEYS_MIN).fill('created'));
    expect((await few).length).toBe(SIDE_KEYS_MIN - 1);
    expect([(await single).kind, (await behind).kind]).toEqual(['created', 'created']);
  });

  test('many of one request are answered in time, and refused when too many wait', async () => {
    const { group, busy, end } = await busyGroup(50);
    const many = group.createAll(wishes(SIDE_KEYS_MIN));
    await turn();
    const waiting = Array.from({ length: WAITING_MAX }, () => group.create(wish('k')));
    expect(await group.createAll(wishes(SIDE_KEYS_MIN))).toEqual(
      Array(SIDE_KEYS_MIN).fill(expect.objectContaining({ kind: 'unavailable' })),
    );
    vi.advanceTimersByTime(60);
    expect((await busy).kind).toBe('unknown');
    expect((await many).map(({ kind }) => kind)).toEqual(Array(SIDE_KEYS_MIN).fill('unknown'));
    await end(0);
    expect((await waiting[0]).kind).not.toBe('created');
  });

  test('more creates than may wait are refused, and those that wait are not', async () => {
    const { group, end } = await busyGroup();
    const waiting = Array.from({ length: WAITING_MAX }, () => group.create(wish('k')));
    expect(await group.create(wish('other'))).toMatchObject({ kind: 'unavailable' });
    await end(0);
    await end(1);
    expect((await waiting.at(-1)!).kind).toBe('same');
    const more = group.create(wish('other'));
    await end(1);
    await end(2);
    expect((await more).kind).toBe('created');
  });

  test('more bytes than may wait are refused', async () => {
    const { group } = await busyGroup();
    const value = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < 64; i++) void group.create(wish(`k${i}`, value));
    expect(await group.create(wish('k0'))).toMatchObject({ kind: 'unavailable' });
  });

  test('a fault in a commit is an unknown outcome of each key, and creates go on', async () => {
    let isBroken = true;
    const group = new GroupCommit(async (group) => {
      if (isBroken) throw new Error('a fault of a test');
      return group.map((one) => ({ kind: 'created', item: { ...one, revision: 2 } }));
    });
    expect(await group.create(wish('k'))).toEqual({ kind: 'unknown', why: 'a fault of a test' });
    isBroken = false;
    expect(await group.create(wish('k'))).toMatchObject({ kind: 'created' });
  });
});

test('keys that go together have each their own outcome', async () => {
  const { etcd, store } = await storeOnFake();
  await store.createAll([wish('k1'), wish('k2', 'other')]);
  const creations = await store.createAll(wishes(4));
  expect(creations.map(({ kind }) => kind)).toEqual(['created', 'same', 'conflict', 'created']);
  // Of more keys etcd is not asked for values in the transaction.
  const many = await store.createAll(wishes(100));
  expect(many.slice(0, 5).map(({ kind }) => kind)).toEqual([
    ...['same', 'same', 'conflict', 'same', 'created'],
  ]);
  expect(etcd.asked.filter((path) => path === 'txn').length).toBe(3);
});

test('new keys take one flat transaction, and as long as some are there, each key one of its own', async () => {
  const etcd = await FakeEtcd.start();
  const client = clientOf([etcd.url]);
  const forms: string[] = [];
  const transact: Etcd['transact'] = (transaction) => {
    forms.push('transaction' in transaction.steps[0] ? 'nested' : 'flat');
    return client.transact(transaction);
  };
  const store = createEtcdStore({ range: client.range, transact }, { prefix: PREFIX });
  const kindsOf = async (from: number, count: number): Promise<string[]> => {
    const creations = await store.createAll(wishes(from + count).slice(from));
    return creations.map(({ kind }) => kind);
  };
  expect(new Set(await kindsOf(0, 100))).toEqual(new Set(['created']));
  expect(forms.splice(0)).toEqual(['flat']);
  const kinds = await kindsOf(90, 100);
  expect(new Set(kinds.splice(0, 10))).toEqual(new Set(['same']));
  expect(new Set(kinds)).toEqual(new Set(['created']));
  // The last one compares what is there.
  expect(forms.splice(0)).toEqual(['flat', 'nested', 'nested']);
  expect(new Set(await kindsOf(190, 100))).toEqual(new Set(['created']));
  expect(forms.splice(0)).toEqual(['nested']);
  expect(new Set(await kindsOf(290, 100))).toEqual(new Set(['created']));
  expect(forms).toEqual(['flat']);
});

test('when nobody knows what came of a transaction, it is unknown of each of its keys, and a retry tells', async () => {
  const { etcd, store } = await storeOnFake();
  etcd.mishaps.set('txn', 'cut-after');
  const all = wishes(20);
  const kinds = async () =>
    (await Promise.all(all.map((one) => store.create(one)))).map(({ kind }) => kind);
  expect(new Set(await kinds())).toEqual(new Set(['unknown']));
  etcd.mishaps.clear();
  expect(new Set(await kinds())).toEqual(new Set(['same']));
});

test('a key that etcd refuses does not fail its neighbours', async () => {
  const etcd = await FakeEtcd.start();
  etcd.refused = `${PREFIX}k77`;
  const store = createEtcdStore(clientOf([etcd.url]), { prefix: PREFIX });
  const creations = await store.createAll(wishes(100));
  const refused = creations.flatMap(({ kind }, i) => (kind === 'created' ? [] : [i]));
  expect(refused).toEqual([77]);
  expect(creations[77]).toMatchObject({ kind: 'unavailable' });
});

test('an etcd that takes fewer keys at once gets them in parts', async () => {
  const etcd = await FakeEtcd.start();
  etcd.operationsMax = 10;
  const store = createEtcdStore(clientOf([etcd.url]), { prefix: PREFIX });
  const creations = await store.createAll(wishes(100));
  expect(new Set(creations.map(({ kind }) => kind))).toEqual(new Set(['created']));
});

test('a hundred clients of HTTP that create 50 keys at one time are answered from fewer transactions', async () => {
  const { etcd, store } = await storeOnFake();
  let open = (): void => {};
  // At one time: a slow machine brings the last of them long after the first.
  const all = new Promise<void>((resolve) => {
    open = resolve;
  });
  let creates = 0;
  const url = await serveHttp({
    ...store,
    async create(one) {
      if (++creates === 100) open();
      await all;
      return store.create(one);
    },
  });
  const create = async (i: number): Promise<number> => {
    const body = JSON.stringify({ key: `k${i % 50}`, value: 'v' });
    return (await fetch(`${url}/key`, { method: 'POST', body })).status;
  };
  const statuses = await Promise.all(Array.from({ length: 100 }, (_, i) => create(i)));
  expect(statuses.filter((status) => status === 201).length).toBe(50);
  expect(statuses.filter((status) => status === 200).length).toBe(50);
  expect(etcd.asked.filter((path) => path === 'txn').length).toBeLessThan(20);
});
