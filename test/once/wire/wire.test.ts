import net from 'node:net';
import { Redis } from 'ioredis';
import { MemcacheClient } from 'memcache-client';
import Memcached from 'memcached';
import memjs from 'memjs';
import { createClient } from 'redis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../../src/common/log.ts';
import { cacheStore } from '../../../src/once/cache.ts';
import { VALUE_BYTES_MAX } from '../../../src/once/limits.ts';
import type { CachedStore, Reading } from '../../../src/once/once.ts';
import { startWire } from '../../../src/once/wire/listener.ts';
import type { FakeEtcd, Mishap } from '../../support/fake-etcd.ts';
import { LOOPBACK, serveHttp, storeOn, storeOnFake } from '../../support/once-node.ts';

async function served() {
  const { etcd, store } = await storeOnFake();
  return { etcd, store, port: await portOf(store) };
}

/** Serves a store to clients of memcached and Redis. */
async function portOf(store: CachedStore): Promise<number> {
  const wire = await startWire({ address: LOOPBACK, access: {} }, store, silentLogger);
  onTestFinished(() => wire.close());
  return wire.address.kind === 'tcp' ? wire.address.port : 0;
}

/** The whole of it: an answer may come in pieces. */
const VERSION = /VERSION .*\r\n$/;

/** Sends bytes, and returns all that is answered until the server closes, or `until` has come. */
async function talk(port: number, input: string | Buffer, until = VERSION, cut = 0) {
  const socket = net.connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const bytes = typeof input === 'string' ? Buffer.from(input, 'latin1') : input;
  socket.on('error', () => {});
  if (cut === 0) socket.write(bytes);
  else void drip(socket, bytes, cut);
  let output = '';
  for await (const piece of socket.setEncoding('latin1') as AsyncIterable<string>) {
    output += piece;
    if (until.test(output)) break;
  }
  return output.replace(VERSION, '');
}

async function drip(socket: net.Socket, bytes: Buffer, cut: number): Promise<void> {
  for (let i = 0; i < bytes.length; i += cut) {
    socket.write(bytes.subarray(i, i + cut));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function lose(etcd: FakeEtcd): void {
  etcd.mishaps.set('txn', 'cut-after');
  etcd.mishaps.set('range', 'cut-before');
}

describe("memcached's text protocol", () => {
  const TALK = [
    ['add a 7 0 2\r\nxy\r\n', 'STORED\r\n'],
    ['add a 7 0 2\r\nxy\r\n', 'NOT_STORED\r\n'],
    ['set a 7 0 2\r\nxy\r\n', 'STORED\r\n'],
    ['set a 8 0 2\r\nxy\r\n', 'NOT_STORED\r\n'],
    ['set a 7 0 1\r\nz\r\n', 'NOT_STORED\r\n'],
    ['get a b\r\n', 'VALUE a 7 2\r\nxy\r\nEND\r\n'],
    ['gets a\r\n', 'VALUE a 7 2 2\r\nxy\r\nEND\r\n'],
    ['mg a v f\r\n', 'VA 2 f7\r\nxy\r\n'],
    ['mg b v\r\n', 'EN\r\n'],
    ['mg YQ== b v\r\n', 'VA 2\r\nxy\r\n'],
    ['ms m 1 ME O9 k\r\nv\r\n', 'HD O9 km\r\n'],
    ['ms m 1 ME O9 k\r\nv\r\n', 'NS O9 km\r\n'],
    ['ms m 1\r\nv\r\n', 'HD\r\n'],
    ['ms m 1 q\r\nv\r\nmn\r\n', 'MN\r\n'],
    ['ms m 1 MA\r\nv\r\n', 'NS\r\n'],
    ['add q 0 0 1 noreply\r\nq\r\nget q\r\n', 'VALUE q 0 1\r\nq\r\nEND\r\n'],
    ['replace a 0 0 3\r\nget\r\n', 'NOT_STORED\r\n'],
    ['delete a\r\n', 'NOT_FOUND\r\n'],
    ['incr a 1\r\n', 'NOT_FOUND\r\n'],
    [`get ${'k'.repeat(251)}\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
    ['bogus\r\n', 'ERROR\r\n'],
    ['set bad 0 0 1\r\nxyz\r\n', 'CLIENT_ERROR bad data chunk\r\nERROR\r\n'],
  ] as const;

  test.each([0, 1, 7])('creates and reads, in pieces of %i bytes', async (cut) => {
    const { port } = await served();
    const input = `${TALK.map(([asked]) => asked).join('')}version\r\n`;
    expect(await talk(port, input, VERSION, cut)).toBe(TALK.map(([, said]) => said).join(''));
  });

  test('refuses an expiration time, since keys never expire, and creates nothing', async () => {
    const { etcd, port } = await served();
    const said = await talk(
      port,
      'set a 0 60 1\r\nx\r\nms b 1 T60\r\nx\r\nadd c 0 -1 1\r\nx\r\nadd d 0 60 1\r\nx\r\nversion\r\n',
    );
    expect(said).toMatch(/^(CLIENT_ERROR keys never expire here[^\r]*\r\n){4}$/);
    expect(etcd.keys.size).toBe(0);
  });

  test('swallows a value that is too large, and goes on', async () => {
    const { etcd, port } = await served();
    const large = 'x'.repeat(VALUE_BYTES_MAX + 1);
    const said = await talk(port, `set a 0 0 ${large.length}\r\n${large}\r\nversion\r\n`);
    expect(said).toBe('SERVER_ERROR object too large for cache\r\n');
    expect(etcd.keys.size).toBe(0);
    const most = large.slice(1);
    expect(await talk(port, `set a 0 0 ${most.length}\r\n${most}\r\nversion\r\n`)).toBe(
      'STORED\r\n',
    );
  });

  test('says neither "absent" nor "not stored" when it does not know', async () => {
    const { etcd, port } = await served();
    lose(etcd);
    const said = await talk(port, 'get a\r\nadd b 0 0 1\r\nx\r\nversion\r\n');
    expect(said).toMatch(
      /^SERVER_ERROR etcd cannot be asked[^\n]*\nSERVER_ERROR the outcome is unknown/,
    );
  });

  test('ends a connection whose line never ends', async () => {
    const { port } = await served();
    expect(await talk(port, 'x'.repeat(70_000))).toMatch(/^CLIENT_ERROR line too long/);
  });
});

describe('keys that etcd is asked for', () => {
  test.each([0, 1])('many in one request come in their order, in pieces of %i', async (cut) => {
    const { etcd, store, port } = await served();
    const names = Array.from({ length: 200 }, (_, i) => `k${i}`);
    const wishOf = (name: string) => {
      return { key: Buffer.from(name), value: Buffer.from(name), flags: 0, type: '' };
    };
    const even = names.filter((_, i) => i % 2 === 0);
    await store.createAll(even.map(wishOf));
    // Another node, which has none of them in its cache.
    const other = await portOf(storeOn([etcd.url]));
    const values = even.map((name) => `VALUE ${name} 0 ${name.length}\r\n${name}\r\n`).join('');
    const said = await talk(other, `get ${names.join(' ')}\r\nversion\r\n`, undefined, cut);
    expect(said).toBe(`${values}END\r\n`);
    const client = new Redis(port, '127.0.0.1', { retryStrategy: () => null });
    onTestFinished(() => client.disconnect());
    expect(await client.mget(...names)).toEqual(names.map((name, i) => (i % 2 ? null : name)));
    expect(await client.exists(...names)).toBe(100);
  });

  test('a get that came after the question is not answered from it: the key may be new', async () => {
    const answers: ((reading: Reading) => void)[] = [];
    const read = () => new Promise<Reading>((resolve) => answers.push(resolve));
    const none = async () => [];
    const create = async () => ({ kind: 'unknown', why: '' }) as const;
    const port = await portOf(cacheStore({ read, create, createAll: none }, 1e6));
    const socket = net.connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let output = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      output += text;
    });
    socket.write('get a\r\n');
    await expect.poll(() => answers.length).toBe(1);
    socket.write('get a\r\nversion\r\n');
    // Until the second one has arrived.
    await talk(port, 'version\r\n');
    answers[0]({ kind: 'absent' });
    await expect.poll(() => answers.length).toBe(2);
    const item = { value: Buffer.from('x'), flags: 0, type: '', revision: 7 };
    answers[1]({ kind: 'found', item });
    await expect.poll(() => output).toMatch(/^END\r\nVALUE a 0 1\r\nx\r\nEND\r\nVERSION/);
  });

  test('the smallest cache answers all the same', async () => {
    const { etcd } = await served();
    for (const name of ['a', 'b', 'c']) etcd.put(`/goromdb/once/${name}`, '\x01\0\0\0\0\0x');
    const port = await portOf(storeOn([etcd.url], 1));
    expect(await talk(port, 'get a b c d\r\nget a\r\nversion\r\n')).toBe(
      'VALUE a 0 1\r\nx\r\nVALUE b 0 1\r\nx\r\nVALUE c 0 1\r\nx\r\nEND\r\nVALUE a 0 1\r\nx\r\nEND\r\n',
    );
  });

  test('of a key that another program has written, its name is said, and not that etcd is away', async () => {
    const { etcd, port } = await served();
    etcd.put('/goromdb/once/z', 'x');
    const why =
      'etcd: key /goromdb/once/z: expected a value of goromdb once, found another form \\(1 B\\); [^\r]*\r\n';
    const text = await talk(port, 'get z\r\nset z 0 0 1\r\nx\r\nversion\r\n');
    expect(text).toMatch(new RegExp(`^(SERVER_ERROR ${why}){2}$`));
    const lines = '*1\r\n$4\r\nPING\r\nget z\r\nset z x\r\nmget a z\r\nQUIT\r\n';
    const resp = await talk(port, lines, /\+OK\r\n$/);
    expect(resp).toMatch(new RegExp(`^\\+PONG\r\n(-TRYAGAIN ${why}){3}\\+OK`));
  });

  test.each([
    ['a usual cache', 1_000_000],
    ['a cache that keeps nothing', 1],
  ])(
    'gets and creations that are sent at once are answered in their order, with %s',
    async (_, cacheBytes) => {
      const { etcd } = await served();
      const port = await portOf(storeOn([etcd.url], cacheBytes));
      const one = (i: number) => `get k${i}\r\nset k${i} 0 0 1\r\nx\r\nget k${i}\r\nmg k${i} v\r\n`;
      const answer = (i: number) => `END\r\nSTORED\r\nVALUE k${i} 0 1\r\nx\r\nEND\r\nVA 1\r\nx\r\n`;
      const numbers = Array.from({ length: 50 }, (_, i) => i);
      const said = await talk(port, `${numbers.map(one).join('')}version\r\n`);
      expect(said).toBe(numbers.map(answer).join(''));
    },
  );
});

describe('clients of the text protocol', () => {
  test('memcache-client', async () => {
    const { port } = await served();
    const client = new MemcacheClient({ server: `127.0.0.1:${port}` });
    // By default it has keys expire after a minute.
    const forEver = { lifetime: 0 };
    onTestFinished(() => client.shutdown());
    await client.add('a', 'x', forEver);
    await expect(client.add('a', 'x', forEver)).rejects.toThrow('NOT_STORED');
    await client.set('a', 'x', forEver);
    await expect(client.set('a', 'y', forEver)).rejects.toThrow('NOT_STORED');
    await client.set('b', 'z', forEver);
    const hits = await client.get<Record<string, { value: string }>>(['a', 'none', 'b']);
    expect(hits).toMatchObject({ a: { value: 'x' }, b: { value: 'z' } });
    expect(hits).not.toHaveProperty('none');
    expect((await client.gets<string>('a')).casUniq).toBe('2');
  });

  test('memcached', async () => {
    const { port } = await served();
    const client = new Memcached(`127.0.0.1:${port}`, { retries: 0, failures: 0 });
    onTestFinished(() => client.end());
    const call = (run: (done: (error: unknown, result: unknown) => void) => void) =>
      new Promise((resolve, reject) => {
        run((error, result) => (error ? reject(error) : resolve(result)));
      });
    expect(await call((done) => client.add('a', 'x', 0, done))).toBe(true);
    await expect(call((done) => client.add('a', 'x', 0, done))).rejects.toThrow();
    expect(await call((done) => client.set('a', 'x', 0, done))).toBe(true);
    await expect(call((done) => client.set('a', 'y', 0, done))).rejects.toThrow();
    expect(await call((done) => client.getMulti(['a', 'none'], done))).toEqual({ a: 'x' });
  });
});

describe("memcached's binary protocol", () => {
  test('serves memjs', async () => {
    const { port } = await served();
    const client = memjs.Client.create(`127.0.0.1:${port}`, { timeout: 60, retries: 1 });
    onTestFinished(() => client.close());
    expect(await client.add('a', 'x')).toBe(true);
    expect(await client.add('a', 'x')).toBe(false);
    expect(await client.set('a', 'x')).toBe(true);
    expect((await client.get('a')).value?.toString()).toBe('x');
    expect((await client.get('b')).value).toBe(null);
  });
});

describe("Redis' protocol", () => {
  async function redis(port: number): Promise<Redis> {
    const client = new Redis(port, '127.0.0.1', { retryStrategy: () => null });
    onTestFinished(() => client.disconnect());
    client.on('error', () => {});
    return client;
  }

  test('serves ioredis', async () => {
    const client = await redis((await served()).port);
    expect(await client.set('a', 'x', 'NX')).toBe('OK');
    expect(await client.set('a', 'x', 'NX')).toBe(null);
    expect(await client.set('a', 'x')).toBe('OK');
    await expect(client.set('a', 'y')).rejects.toThrow(/^CONFLICT/);
    expect(await client.setnx('b', '')).toBe(1);
    expect(await client.get('a')).toBe('x');
    expect(await client.mget('a', 'none', 'b')).toEqual(['x', null, '']);
    expect([await client.exists('a', 'b', 'c'), await client.strlen('a')]).toEqual([2, 1]);
  });

  test('serves node-redis, by RESP3 too', async () => {
    const { port } = await served();
    for (const RESP of [2, 3] as const) {
      const client = createClient({ socket: { host: '127.0.0.1', port }, RESP });
      onTestFinished(() => client.destroy());
      await client.connect();
      const key = `a${RESP}`;
      expect(await client.set(key, 'x', { condition: 'NX' })).toBe('OK');
      expect(await client.set(key, 'x', { condition: 'NX' })).toBe(null);
      await expect(client.set(key, 'y')).rejects.toThrow(/^CONFLICT/);
      expect(await client.mGet([key, 'none'])).toEqual(['x', null]);
    }
  });

  test('creates what a person types, without its quotes', async () => {
    const { port } = await served();
    const lines = [
      'SET a "x y"',
      "setnx 'b c' '\\x41'",
      'get a',
      'get "b c"',
      'set d "\\x41',
      'get d',
    ];
    const said = await talk(port, `*1\r\n$4\r\nPING\r\n${lines.join('\r\n')}\r\n`, /unbalanced/);
    const bulks = `$3\r\nx y\r\n$4\r\n\\x41\r\n`;
    expect(said).toMatch(`+PONG\r\n+OK\r\n:1\r\n${bulks}-ERR Protocol error: unbalanced`);
  });

  test('refuses all else', async () => {
    const { etcd, port } = await served();
    const client = await redis(port);
    await expect(client.set('a', 'x', 'EX', 5)).rejects.toThrow(/never expire/);
    await expect(client.del('a')).rejects.toThrow(/READONLY/);
    await expect(client.multi().get('a').exec()).rejects.toThrow();
    await expect(client.set('a\0', 'x')).rejects.toThrow(/control characters/);
    expect(etcd.keys.size).toBe(0);
  });

  test('says nil in the version that was agreed on last', async () => {
    const { port } = await served();
    const set = '*4\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nx\r\n$2\r\nNX\r\n';
    const hello = (version: number): string => `*2\r\n$5\r\nHELLO\r\n$1\r\n${version}\r\n`;
    const said = await talk(
      port,
      `${hello(3)}${hello(4)}${set}${set}QUIT\r\n`,
      /(?:_|\$-1)\r\n\+OK\r\n$/,
    );
    expect(said).toMatch(/-NOPROTO [^\r]*\r\n\+OK\r\n_\r\n\+OK\r\n$/);
  });

  test('says that it cannot be told now, and not nil', async () => {
    const { etcd, port } = await served();
    const client = await redis(port);
    lose(etcd);
    await expect(client.get('a')).rejects.toThrow(/^TRYAGAIN/);
    await expect(client.set('a', 'x', 'NX')).rejects.toThrow(/^TRYAGAIN the outcome is unknown/);
  });
});

test('a key that one protocol has created is read by all', async () => {
  const { store, port } = await served();
  const url = await serveHttp(store);
  await fetch(`${url}/key`, { method: 'POST', body: '{"key":"foo","value":"bar"}' });
  expect(await talk(port, 'get foo\r\nversion\r\n')).toBe('VALUE foo 0 3\r\nbar\r\nEND\r\n');
  expect(await talk(port, '*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n', /bar\r\n$/)).toBe('$3\r\nbar\r\n');
});

test('a full etcd refuses to create', async () => {
  const { etcd, port } = await served();
  const full: Mishap = { status: 429, code: 8, message: 'mvcc: database space exceeded' };
  etcd.mishaps.set('txn', full);
  expect(await talk(port, 'add a 0 0 1\r\nx\r\nversion\r\n')).toMatch(/^SERVER_ERROR etcd is full/);
});
