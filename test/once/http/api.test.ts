import http from 'node:http';
import { describe, expect, test } from 'vitest';
import { VALUE_BYTES_MAX, WISHES_MAX } from '../../../src/once/limits.ts';
import type { FakeEtcd, Mishap } from '../../support/fake-etcd.ts';
import { PREFIX, serveHttp, storeOnFake } from '../../support/once-node.ts';

async function served(more = {}): Promise<{ etcd: FakeEtcd; url: string }> {
  const { etcd, store } = await storeOnFake();
  return { etcd, url: await serveHttp(store, more) };
}

function post(url: string, body: unknown, headers = {}): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(url, { method: 'POST', body: text, headers });
}

describe('POST /key', () => {
  test('creates a key once: 201, then 200 for the same value, 409 for another one', async () => {
    const { url } = await served();
    const status = async (value: string) =>
      (await post(`${url}/key`, { key: 'foo', value })).status;
    expect([await status('bar'), await status('bar'), await status('baz')]).toEqual([
      ...[201, 200, 409],
    ]);
    expect(await (await fetch(`${url}/key/foo`)).text()).toBe('bar');
  });

  test('answers 503 with Retry-After when nobody knows what came of it, and 200 at the next try', async () => {
    const { etcd, url } = await served();
    etcd.mishaps.set('txn', 'cut-after');
    const response = await post(`${url}/key`, { key: 'foo', value: 'bar' });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ code: 'UNKNOWN' });
    etcd.mishaps.clear();
    expect((await post(`${url}/key`, { key: 'foo', value: 'bar' })).status).toBe(200);
  });

  test('answers 507 when the database is full', async () => {
    const { etcd, url } = await served();
    const full: Mishap = { status: 429, code: 8, message: 'mvcc: database space exceeded' };
    etcd.mishaps.set('txn', full);
    expect((await post(`${url}/key`, { key: 'foo', value: 'bar' })).status).toBe(507);
  });

  test('refuses what is no request, and creates nothing', async () => {
    const { etcd, url } = await served();
    const statuses = async (...bodies: unknown[]) =>
      new Set(
        await Promise.all(bodies.map(async (body) => (await post(`${url}/key`, body)).status)),
      );
    expect(
      await statuses(
        ...['', '{', '[]', 'null', '"x"', {}, { key: 'k' }, { key: 1, value: 'v' }],
        ...[
          { key: 'k', value: 1 },
          { key: 'k', value: 'v', ttl: 3 },
          { key: '', value: 'v' },
        ],
        ...[
          { key: 'a\nb', value: 'v' },
          { key: 'a\0', value: 'v' },
          { key: 'k\u0085', value: '' },
        ],
        ...[
          { key: 'x'.repeat(251), value: 'v' },
          { key: 'é'.repeat(126), value: 'v' },
        ],
        ...['{"key":"\\ud800","value":"v"}', '{"key":"k","value":"\\udc00"}'],
        ...[
          { key: 'k', valueBase64: '=' },
          { key: 'k', value: 'v', valueBase64: 'dg==' },
        ],
      ),
    ).toEqual(new Set([422]));
    expect(etcd.keys.size).toBe(0);
  });

  test('refuses a value or a body that is too large with 413', async () => {
    const { url } = await served();
    const large = 'x'.repeat(VALUE_BYTES_MAX + 1);
    expect((await post(`${url}/key`, { key: 'k', value: large })).status).toBe(413);
    expect((await post(`${url}/key`, `{"key":"k","value":"${' '.repeat(9e6)}"}`)).status).toBe(413);
    expect((await post(`${url}/key`, { key: 'k', value: large.slice(1) })).status).toBe(201);
  });

  test('keeps a value of any bytes, with its type', async () => {
    const { url } = await served();
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const valueBase64 = bytes.toString('base64');
    await post(`${url}/key`, { key: 'k', valueBase64, type: 'image/png' });
    const response = await fetch(`${url}/key/k`);
    expect(response.headers.get('content-type')).toBe('image/png');
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
  });
});

describe('PUT /key/KEY', () => {
  test('creates with If-None-Match: *, and does nothing without', async () => {
    const { url } = await served();
    const put = (headers: Record<string, string>) =>
      fetch(`${url}/key/a%2Fb`, { method: 'PUT', body: 'v', headers });
    expect((await put({})).status).toBe(428);
    expect((await fetch(`${url}/key/a/b`)).status).toBe(404);
    expect((await put({ 'if-none-match': '*', 'content-type': 'text/css' })).status).toBe(201);
    const response = await fetch(`${url}/key/a/b`);
    expect(response.headers.get('content-type')).toBe('text/css');
  });

  test('keeps no part of a value, and none that is encoded', async () => {
    const { etcd, url } = await served();
    const put = async (headers: Record<string, string>) => {
      const init = { method: 'PUT', body: 'v', headers: { ...headers, 'if-none-match': '*' } };
      return (await fetch(`${url}/key/k`, init)).status;
    };
    expect(await put({ 'content-range': 'bytes 0-0/9' })).toBe(422);
    expect(await put({ 'content-encoding': 'gzip' })).toBe(422);
    const raw = await new Promise((resolve, reject) => {
      const headers = { 'if-none-match': '*', 'transfer-encoding': 'gzip, chunked' };
      const request = http.request(`${url}/key/k`, { method: 'PUT', headers }, ({ statusCode }) => {
        resolve(statusCode);
        request.destroy();
      });
      request.on('error', reject).end('v');
    });
    expect(raw).toBe(422);
    expect(etcd.keys.size).toBe(0);
  });

  test('takes no query: neither for a part of the key, nor for none', async () => {
    const { etcd, url } = await served();
    const put = (path: string) =>
      fetch(url + path, { method: 'PUT', body: 'v', headers: { 'if-none-match': '*' } });
    expect((await put('/key/why?x')).status).toBe(422);
    expect(etcd.keys.size).toBe(0);
    expect((await put('/key/why%3F')).status).toBe(201);
    expect((await fetch(`${url}/key/why%3f`)).status).toBe(200);
  });
});

describe('POST /keys', () => {
  test('says for each key what came of it', async () => {
    const { url } = await served();
    await post(`${url}/key`, { key: 'b', value: '1' });
    await post(`${url}/key`, { key: 'c', value: 'other' });
    const list = ['a', 'b', 'c'].map((key) => ({ key, value: '1' }));
    const { results } = (await (await post(`${url}/keys`, list)).json()) as {
      results: { key: string; status: number }[];
    };
    expect(results.map(({ key, status }) => [key, status])).toEqual([
      ...[
        ['a', 201],
        ['b', 200],
        ['c', 409],
      ],
    ]);
  });

  test('refuses the whole list when one of it is wrong, comes twice, or is one too many', async () => {
    const { etcd, url } = await served();
    const many = Array.from({ length: WISHES_MAX + 1 }, (_, i) => ({ key: `k${i}`, value: '' }));
    const good = { key: 'a', value: '1' };
    expect((await post(`${url}/keys`, many)).status).toBe(413);
    expect((await post(`${url}/keys`, [good, { key: '', value: '1' }])).status).toBe(422);
    expect((await post(`${url}/keys`, [good, good])).status).toBe(422);
    expect((await post(`${url}/keys`, [])).status).toBe(422);
    expect(etcd.keys.size).toBe(0);
  });
});

describe('POST /keys of more keys than a transaction takes', () => {
  const NAMES = ['new', ...Array.from({ length: 300 }, (_, i) => `k${i}`), 'newer'];
  const FULL: Mishap = { status: 429, code: 8, message: 'mvcc: database space exceeded' };

  async function posted(mishap: Mishap) {
    const { etcd, url } = await served();
    for (const name of NAMES.slice(1, -1)) etcd.put(PREFIX + name, '\x01\0\0\0\0\0v');
    etcd.mishaps.set('txn', mishap);
    const list = NAMES.map((key) => ({ key, value: 'v' }));
    const response = await post(`${url}/keys`, list);
    const { results } = (await response.json()) as { results: { code: string }[] };
    return { etcd, codes: results.map(({ code }) => code) };
  }

  test('says of each that is there that it is the same, when the database is full', async () => {
    const { etcd, codes } = await posted(FULL);
    expect([codes.shift(), codes.pop()]).toEqual(['FULL', 'FULL']);
    expect(new Set(codes)).toEqual(new Set(['SAME']));
    expect(etcd.keys.size).toBe(300);
  });

  test('names a key that another program has written, and goes on with the others', async () => {
    const { etcd, url } = await served();
    etcd.put(`${PREFIX}k0`, 'x');
    const list = NAMES.map((key) => ({ key, value: 'v' }));
    const { results } = (await (await post(`${url}/keys`, list)).json()) as {
      results: { code: string; message: string }[];
    };
    const [foreign] = results.splice(1, 1);
    expect(foreign).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(
        /^nothing was created: etcd: key \/goromdb\/once\/k0: expected/,
      ),
    });
    expect(new Set(results.map(({ code }) => code))).toEqual(new Set(['CREATED']));
  });

  test('asks for none of the rest when etcd does not answer', async () => {
    const { etcd, codes } = await posted('cut-after');
    expect(codes.slice(0, 127)).toEqual(Array.from({ length: 127 }, () => 'UNKNOWN'));
    expect(new Set(codes.slice(127))).toEqual(new Set(['UNAVAILABLE']));
    expect(etcd.keys.has(Buffer.from(`${PREFIX}newer`).toString('base64'))).toBe(false);
  });
});

describe('GET /key/KEY', () => {
  test('may be cached for ever when there is a value, and not at all when there is none', async () => {
    const { url } = await served();
    expect((await fetch(`${url}/key/foo`)).headers.get('cache-control')).toBe('no-store');
    await post(`${url}/key`, { key: 'foo', value: 'bar' });
    const { headers } = await fetch(`${url}/key/foo`);
    expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(headers.get('etag')).toMatch(/^"[\w-]{22}"$/);
  });

  test('never says "absent" for what etcd has not said: 503', async () => {
    const { etcd, url } = await served();
    etcd.mishaps.set('range', 'cut-before');
    const response = await fetch(`${url}/key/foo`);
    expect([response.status, response.headers.get('cache-control')]).toEqual([503, 'no-store']);
  });

  test('answers conditions and ranges', async () => {
    const { url } = await served();
    await post(`${url}/key`, { key: 'k', value: '0123456789' });
    const etag = (await fetch(`${url}/key/k`)).headers.get('etag')!;
    const get = async (headers: Record<string, string>, method = 'GET') => {
      const response = await fetch(`${url}/key/k`, { headers, method });
      return [response.status, (await response.text()).slice(0, 20)];
    };
    expect(await get({}, 'HEAD')).toEqual([200, '']);
    expect(await get({ range: 'bytes=2-4' }, 'HEAD')).toEqual([200, '']);
    expect(await get({ range: 'bytes=10-' }, 'HEAD')).toEqual([200, '']);
    expect(await get({ 'if-none-match': etag })).toEqual([304, '']);
    expect(await get({ 'if-none-match': `"x", W/${etag}` })).toEqual([304, '']);
    expect(await get({ 'if-none-match': '"x"' })).toEqual([200, '0123456789']);
    expect((await get({ 'if-match': '"x"' }))[0]).toBe(412);
    expect(await get({ range: 'bytes=2-4' })).toEqual([206, '234']);
    expect(await get({ range: 'bytes=-3' })).toEqual([206, '789']);
    expect(await get({ range: 'bytes=8-99' })).toEqual([206, '89']);
    expect((await get({ range: 'bytes=10-' }))[0]).toBe(416);
    expect(await get({ range: 'bytes=4-2' })).toEqual([200, '0123456789']);
    expect(await get({ range: 'bytes=0-1,3-4' })).toEqual([200, '0123456789']);
    expect(await get({ range: 'bytes=2-4', 'if-range': '"x"' })).toEqual([200, '0123456789']);
  });

  test('refuses keys that cannot be', async () => {
    const { url } = await served();
    const status = async (path: string) => (await fetch(`${url}/key/${path}`)).status;
    for (const path of ['', '%00', '%0a', '%ff', '%zz', '%', 'x'.repeat(251)]) {
      expect(await status(path), path).toBe(422);
    }
    expect(await status('x%20y')).toBe(404);
  });

  test('takes no dots in a key for folders, and the name of the server in front of a path', async () => {
    const { etcd, url } = await served();
    etcd.put(`${PREFIX}a/../b`, '\x01\0\0\0\0\0v');
    const { port } = new URL(url);
    const statusOf = (path: string) =>
      new Promise((resolve) => {
        http.get({ port, host: '127.0.0.1', path }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
      });
    expect(await statusOf('/key/a/../b')).toBe(200);
    expect(await statusOf(`http://once.example:${port}/key/a/../b`)).toBe(200);
    expect(await statusOf('/./key/a')).toBe(404);
  });
});

test('there are no other paths and methods', async () => {
  const { url } = await served();
  expect((await fetch(`${url}/`)).status).toBe(404);
  expect((await fetch(`${url}/key`)).status).toBe(405);
  expect((await fetch(`${url}/key/k`, { method: 'DELETE' })).headers.get('allow')).toBe(
    'GET, HEAD, PUT',
  );
});
