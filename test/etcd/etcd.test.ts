import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { connectEtcd } from '../../src/etcd/connect.ts';
import { type Change, type Etcd, endOfPrefix, type Found } from '../../src/etcd/etcd.ts';
import { CONNECT_MS_MAX, CONNECTIONS_MAX, PLACE_MS_MAX } from '../../src/etcd/limits.ts';
import { FakeEtcd } from '../support/fake-etcd.ts';
import { PATIENCE_MS } from '../support/patience.ts';

const KEY = Buffer.from('k');
const create = (value: string) => ({
  compare: [{ key: KEY, createRevision: 0 }],
  steps: [{ put: { key: KEY, value: Buffer.from(value) } }],
  otherwise: [{ range: { key: KEY } }],
});

function clientOf(endpoints: readonly string[], more = {}): Etcd {
  const etcd = connectEtcd({ endpoints, ...more });
  onTestFinished(() => etcd.close());
  return etcd;
}

async function outcomeOf(mishap: Parameters<FakeEtcd['mishaps']['set']>[1]) {
  const fake = await FakeEtcd.start();
  fake.mishaps.set('txn', mishap);
  const outcome = await clientOf([fake.url]).transact(create('a'));
  return { outcome, wasDone: fake.keys.size === 1, asked: fake.asked };
}

describe('a write', () => {
  test('of which nobody knows what came has an unknown outcome, whether it was done or not', async () => {
    expect(await outcomeOf('cut-after')).toMatchObject({
      outcome: { kind: 'unknown' },
      wasDone: true,
    });
    expect(await outcomeOf('cut-before')).toMatchObject({
      outcome: { kind: 'unknown' },
      wasDone: false,
    });
  });

  test('that timed out in etcd has an unknown outcome', async () => {
    const message = 'etcdserver: request timed out, possibly due to previous leader failure';
    const { outcome } = await outcomeOf({ status: 503, code: 14, message });
    expect(outcome).toEqual({ kind: 'unknown', why: message });
  });

  test('is not sent a second time when its outcome is unknown', async () => {
    const one = await FakeEtcd.start();
    const other = await FakeEtcd.start();
    one.mishaps.set('txn', 'cut-after');
    await clientOf([one.url, other.url]).transact(create('a'));
    expect(other.asked).toEqual([]);
  });

  test('goes to the next endpoint when it could not be sent', async () => {
    const gone = await FakeEtcd.start();
    gone.close();
    const fake = await FakeEtcd.start();
    const outcome = await clientOf([gone.url, fake.url]).transact(create('a'));
    expect(outcome).toMatchObject({ kind: 'done', value: { succeeded: true } });
  });

  test('that has waited too long for a connection is not done, and is not sent later', async () => {
    const fake = await FakeEtcd.start();
    let open = (): void => {};
    fake.gate = new Promise((resolve) => {
      open = resolve;
    });
    const etcd = clientOf([fake.url], { requestMsMax: PATIENCE_MS });
    const first = Array.from({ length: CONNECTIONS_MAX }, (_, i) => {
      const put = { key: Buffer.from(`first ${i}`), value: KEY };
      return etcd.transact({ compare: [], steps: [{ put }] });
    });
    const late = Array.from({ length: 4 * CONNECTIONS_MAX }, () => etcd.transact(create('late')));
    for (const outcome of await Promise.all(late)) {
      expect(outcome).toMatchObject({ kind: 'not-done', reason: 'unreachable' });
      expect(outcome).toHaveProperty(
        'why',
        expect.stringContaining('no connection was free in 2000 ms'),
      );
    }
    open();
    await Promise.all(first);
    // It has a connection now, so whatever waited before it had one.
    expect(await etcd.range({ key: KEY })).toMatchObject({ kind: 'done' });
    expect(fake.keys.size).toBe(CONNECTIONS_MAX);
    // Nor does it cost a connection.
    expect(fake.connections).toBe(CONNECTIONS_MAX);
  });

  test('that waits for a connection has its outcome when the client is closed', async () => {
    const fake = await FakeEtcd.start();
    fake.gate = new Promise(() => {});
    const etcd = clientOf([fake.url], { requestMsMax: PATIENCE_MS });
    const all = Array.from({ length: 2 * CONNECTIONS_MAX }, () => etcd.transact(create('a')));
    await expect.poll(() => fake.asked.length).toBe(CONNECTIONS_MAX);
    etcd.close();
    for (const { kind } of await Promise.all(all)) expect(['unknown', 'not-done']).toContain(kind);
  });

  test('is not done when no endpoint can be reached', async () => {
    const gone = await FakeEtcd.start();
    gone.close();
    expect(await clientOf([gone.url]).transact(create('a'))).toMatchObject({
      kind: 'not-done',
      reason: 'unreachable',
    });
  });

  test('that etcd refuses is not done, with the reason', async () => {
    const refused = async (code: number, message: string) =>
      (await outcomeOf({ status: 429, code, message })).outcome;
    expect(await refused(8, 'etcdserver: mvcc: database space exceeded')).toMatchObject({
      kind: 'not-done',
      reason: 'quota',
    });
    expect(await refused(8, 'etcdserver: too many requests')).toMatchObject({ reason: 'busy' });
    expect(await refused(3, 'etcdserver: request is too large')).toMatchObject({
      reason: 'invalid',
    });
  });
});

describe('a read', () => {
  test('is asked of the next endpoint after any fault', async () => {
    const one = await FakeEtcd.start();
    const other = await FakeEtcd.start();
    other.put('k', 'v');
    one.mishaps.set('range', 'cut-after');
    const outcome = await clientOf([one.url, other.url]).range({ key: KEY });
    expect(outcome).toMatchObject({ kind: 'done', value: { records: [{ createRevision: 2 }] } });
  });

  test('brings bytes as they are', async () => {
    const fake = await FakeEtcd.start();
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const etcd = clientOf([fake.url]);
    await etcd.put(bytes, bytes);
    const outcome = await etcd.range({ key: bytes });
    expect(outcome.kind === 'done' && outcome.value.records[0]).toMatchObject({
      ...{ key: bytes, value: bytes },
    });
  });
});

test.each([
  ...['{}', '[]', '{"ok":true}', '{"succeeded":true}', '{"kvs":[]}', 'null', '<html>'],
  ...['{"header":{"revision":"x"}}', '{"header":{"revision":5},"succeeded":true}'],
  '{"header":{"revision":"7"},"kvs":7,"responses":7}',
  '{"header":{"revision":"7"},"kvs":[null],"responses":[null]}',
  '{"header":{"revision":"7"},"kvs":[{"value":{"length":1000000000}}],"responses":[{"response_range":{"kvs":[{"value":7}]}}]}',
  '{"header":{"revision":"7"},"kvs":[{"create_revision":"x"}],"responses":[{"response_range":{"kvs":[7]}}]}',
])(
  '%s is no answer of etcd: it says neither that a key is absent nor that it was created',
  async (text) => {
    const fake = await FakeEtcd.start();
    for (const path of ['range', 'txn']) fake.mishaps.set(path, { text });
    const etcd = clientOf([fake.url]);
    expect(await etcd.range({ key: KEY })).toMatchObject({
      kind: 'not-done',
      reason: 'unreachable',
    });
    expect(await etcd.transact(create('a'))).toMatchObject({ kind: 'unknown' });
  },
);

test('a message of etcd is cut, however long it is', async () => {
  const message = 'x'.repeat(1e6);
  const { outcome } = await outcomeOf({ status: 400, code: 3, message });
  expect(outcome.kind === 'not-done' && outcome.why.length).toBeLessThan(1_000);
});

test.each(['{}', '{"token":7}', '{"token":"a\\nb"}'])('%s is no login', async (text) => {
  const fake = await FakeEtcd.start();
  fake.mishaps.set('authenticate', { text });
  const etcd = clientOf([fake.url], { login: { user: 'root', password: 'secret' } });
  expect(await etcd.range({ key: KEY })).toMatchObject({ reason: 'unreachable' });
  expect(fake.asked).toEqual(['authenticate']);
});

test('many requests at one time log in once', async () => {
  const fake = await FakeEtcd.start();
  const etcd = clientOf([fake.url], { login: { user: 'root', password: 'secret' } });
  await Promise.all(Array.from({ length: 20 }, () => etcd.range({ key: KEY })));
  expect(fake.asked.filter((path) => path === 'authenticate')).toEqual(['authenticate']);
});

test('a login is made anew when its token is no longer valid', async () => {
  const fake = await FakeEtcd.start();
  const etcd = clientOf([fake.url], { login: { user: 'root', password: 'secret' } });
  await etcd.range({ key: KEY });
  fake.mishaps.set('range', { status: 401, code: 16, message: 'etcdserver: invalid auth token' });
  const outcome = etcd.range({ key: KEY });
  expect(await outcome).toMatchObject({ kind: 'not-done', reason: 'forbidden' });
  expect(fake.asked).toEqual(['authenticate', 'range', 'range', 'authenticate', 'range']);
});

test('a login in a URL is in no message', async () => {
  const fake = await FakeEtcd.start();
  fake.close();
  const [, place] = fake.url.split('//');
  const etcd = clientOf([`http://root:s%40cret@${place}/`]);
  expect(etcd.endpoints).toEqual([fake.url]);
  for (const outcome of [await etcd.range({ key: KEY }), await etcd.quota(fake.url)]) {
    expect(outcome).toMatchObject({ kind: 'not-done', why: expect.stringContaining(place) });
    expect(JSON.stringify(outcome)).not.toMatch(/root|cret/);
  }
  expect(() => clientOf(['http://a%zz:b@127.0.0.1:1'])).toThrow(/escapes such as %40/);
});

test('a request that waits for a connection asks the next endpoint after a while', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const busy = await FakeEtcd.start();
  const other = await FakeEtcd.start();
  busy.gate = new Promise(() => {});
  const etcd = clientOf([busy.url, other.url]);
  for (let i = 0; i < CONNECTIONS_MAX; i++) void etcd.transact(create(`busy${i}`));
  const last = etcd.transact(create('last'));
  await expect.poll(() => busy.asked.length).toBe(CONNECTIONS_MAX);
  vi.advanceTimersByTime(CONNECT_MS_MAX);
  expect(other.asked).toEqual([]);
  vi.advanceTimersByTime(PLACE_MS_MAX);
  expect(await last).toMatchObject({ kind: 'done' });
});

test('the end of a prefix is the first key behind all that have it', () => {
  expect(endOfPrefix(Buffer.from('a/'))).toEqual(Buffer.from('a0'));
  expect(endOfPrefix(Buffer.of(1, 0xff))).toEqual(Buffer.of(2));
  expect(endOfPrefix(Buffer.of(0xff))).toEqual(Buffer.of(0));
});

/** What a watch has reported, to wait for. */
class Reported {
  readonly lines: string[] = [];
  #wake = (): void => {};
  onList = ({ records }: Found): void => this.#add(`list ${records.map(({ key }) => key)}`);
  onChange = ({ kind, record }: Change): void => this.#add(`${kind} ${record.key}`);
  onBreak = (): void => this.#add('break');

  async until(line: string, times = 1): Promise<void> {
    while (this.lines.filter((one) => one === line).length < times) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #add(line: string): void {
    this.lines.push(line);
    this.#wake();
  }
}

describe('a watch', () => {
  async function watched() {
    const fake = await FakeEtcd.start();
    fake.put('a/1', 'x');
    fake.put('b/1', 'x');
    const reported = new Reported();
    const stop = new AbortController();
    const ended = clientOf([fake.url]).watch(Buffer.from('a/'), reported, stop.signal);
    onTestFinished(() => stop.abort());
    await reported.until('list a/1');
    return { fake, reported, stop, ended };
  }

  test('lists what is there, reports what changes, and ends by its signal', async () => {
    const { fake, reported, stop, ended } = await watched();
    fake.put('a/2', 'y');
    fake.put('b/2', 'y');
    fake.remove('a/1');
    // The last change may come before the watch is there: then it is in what the watch begins with.
    await reported.until('put a/2');
    stop.abort();
    await ended;
    expect(reported.lines).not.toContain('put b/2');
  });

  test('goes on behind the last change when the connection breaks', async () => {
    const { fake, reported } = await watched();
    fake.put('a/2', 'y');
    await reported.until('put a/2');
    fake.cutWatches();
    fake.put('a/3', 'y');
    await reported.until('put a/3');
    expect(reported.lines.filter((line) => line !== 'break')).toEqual([
      ...['list a/1', 'put a/2', 'put a/3'],
    ]);
  });

  test('logs in anew when etcd cancels it, as it does when the token is no longer valid', async () => {
    const fake = await FakeEtcd.start();
    const reported = new Reported();
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const login = { user: 'root', password: 'secret' };
    const etcd = clientOf([fake.url], { login });
    void etcd.watch(Buffer.from('a/'), reported, stop.signal);
    await expect.poll(() => fake.asked.includes('watch')).toBe(true);
    fake.cancelWatches();
    await reported.until('break');
    fake.put('a/1', 'y');
    await reported.until('put a/1');
    const watches = fake.asked.filter((path) => /authenticate|watch/.test(path));
    expect(watches).toEqual(['authenticate', 'watch', 'authenticate', 'watch']);
  });

  test('lists again when what it missed is compacted away', async () => {
    const { fake, reported } = await watched();
    fake.put('a/2', 'y');
    await reported.until('put a/2');
    fake.compactedBelow = 1_000;
    fake.cutWatches();
    await reported.until('list a/1,a/2');
  });
});
