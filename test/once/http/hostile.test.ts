import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../../src/common/log.ts';
import { Guests } from '../../../src/http/guests.ts';
import { Desk } from '../../../src/once/http/desk.ts';
import { VALUE_BYTES_MAX } from '../../../src/once/limits.ts';
import type { FakeEtcd } from '../../support/fake-etcd.ts';
import { LOOPBACK, PREFIX, serveHttp, storeOnFake } from '../../support/once-node.ts';

async function served(more = {}): Promise<{ etcd: FakeEtcd; url: string; port: number }> {
  const { etcd, store } = await storeOnFake();
  const url = await serveHttp(store, more);
  return { etcd, url, port: Number(new URL(url).port) };
}

function connected(port: number): net.Socket {
  const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  return socket;
}

/** All that is answered until the server closes the connection. */
async function talk(port: number, input: string): Promise<string> {
  const socket = connected(port);
  socket.write(input, 'latin1');
  let output = '';
  socket.on('data', (text: string) => {
    output += text;
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return output;
}

const CHUNKED = 'Host: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n';

test('a body that never ends is refused once it is too large, and ends the connection', async () => {
  const { etcd, port } = await served();
  const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
  const post = `POST /key HTTP/1.1\r\n${CHUNKED}\r\n`;
  const put = `PUT /key/k HTTP/1.1\r\n${CHUNKED}If-None-Match: *\r\n\r\n`;
  const begunMs = performance.now();
  const answers = [talk(port, post + chunk.repeat(9)), talk(port, put + chunk.repeat(2))];
  for (const said of await Promise.all(answers)) expect(said).toMatch(/^HTTP\/1.1 413 /);
  // Long before a request takes too long to arrive, which is 30 s.
  expect(performance.now() - begunMs).toBeLessThan(20_000);
  expect(etcd.keys.size).toBe(0);
});

test('of a refused body that never ends, no more is read than a few bodies', async () => {
  const { etcd, port } = await served();
  const socket = connected(port);
  const length = 'Content-Length: 100000000000\r\n';
  socket.write(`PUT /key/k HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n${length}\r\n`);
  const piece = Buffer.alloc(64 * 1024);
  const pour = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', pour);
  pour();
  await new Promise((resolve) => socket.once('close', resolve));
  // The system holds some more.
  expect(socket.bytesWritten).toBeLessThan(64 * 1024 * 1024);
  expect(etcd.keys.size).toBe(0);
});

test('what follows a refused body on its connection is not done', async () => {
  const { etcd, port } = await served();
  const put = (key: string, more: string) =>
    `PUT /key/${key} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}Content-Length: 1\r\n\r\nv`;
  const said = await talk(port, put('a', '') + put('b', 'If-None-Match: *\r\n'));
  expect(said.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 428']);
  expect(etcd.keys.size).toBe(0);
});

describe('a request that takes too long to arrive', () => {
  const POST = 'POST /key HTTP/1.1\r\nHost: 127.0.0.1\r\n';
  const BEGINNINGS = {
    'a body in chunks': `${POST}Transfer-Encoding: chunked\r\n\r\n`,
    'a body that is shorter than it says': `${POST}Content-Length: 1000\r\n\r\n{"key":`,
    'headers that go on': POST,
  };

  test.each(Object.entries(BEGINNINGS))('is cut off: %s', async (_, beginning) => {
    const { etcd, url, port } = await served({ requestMsMax: 300 });
    const socket = connected(port);
    socket.write(beginning);
    // It says something all the time: that alone is not enough.
    const piece = beginning === POST ? 'X: y\r\n' : '1\r\n \r\n';
    const drip = setInterval(() => void (socket.destroyed || socket.write(piece)), 10);
    onTestFinished(() => clearInterval(drip));
    let said = '';
    socket.on('data', (text: string) => {
      said += text;
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // Others are served meanwhile; one that a busy machine holds up is too slow as well, and asks again.
    const other = async (): Promise<number> => (await fetch(`${url}/key/none`)).status;
    await Promise.all([closed, expect.poll(other).toBe(404)]);
    expect(said).toMatch(/^HTTP\/1.1 408 /);
    expect(etcd.keys.size).toBe(0);
  });
});

describe('what is no request is answered with what is wrong, and ends the connection:', () => {
  const LARGE = `X: ${'y'.repeat(20_000)}\r\n`;
  const INPUTS = [
    [
      'a path in bare UTF-8',
      'GET /key/\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n',
      400,
      /percent-encode/,
    ],
    [
      'a path with no version behind it',
      'PUT /key/kHTTP/1.1\r\nHost: 127.0.0.1\r\nIf-None-Match: *\r\nContent-Length: 1\r\n\r\nv',
      400,
      /expected a request of HTTP\/1.1/,
    ],
    ['another protocol', 'get foo\r\n', 400, /expected a request of HTTP\/1.1/],
    [
      'a length that is none',
      'GET /key/k HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n',
      400,
      /\(.*Length/,
    ],
    ['headers without an end', `GET /key/k HTTP/1.1\r\nHost: a\r\n${LARGE}`, 431, /too many bytes/],
  ] as const;

  test.each(INPUTS)('%s', async (_, input, status, message) => {
    const { port } = await served();
    const [head, body] = (await talk(port, input)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(JSON.parse(body)).toEqual({
      code: status === 431 ? 'TOO_LARGE' : 'NO_REQUEST',
      message: expect.stringMatching(message) as string,
    });
  });

  const HEADERS = [
    ['no Host', '', 400, /expected a header Host/],
    ['an Expect that nobody knows', 'Host: a\r\nExpect: banana\r\n', 417, /100-continue/],
  ] as const;

  test.each(HEADERS)('%s, of keys that are cached as well', async (_, headers, status, message) => {
    const { url, port } = await served();
    await fetch(`${url}/key`, { method: 'POST', body: '{"key":"k","value":"v"}' });
    for (const path of ['/key/k', '/key/none', '/healthz']) {
      const request = `GET ${path} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`;
      const [head, body] = (await talk(port, request)).split('\r\n\r\n');
      expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(JSON.parse(body)).toEqual({
        code: 'NO_REQUEST',
        message: expect.stringMatching(message) as string,
      });
    }
    // HTTP/1.0 has neither of the two.
    expect(await talk(port, `GET /key/k HTTP/1.0\r\n${headers}\r\n`)).toMatch(/200 OK.*v$/s);
  });

  test('but not in the middle of another answer', async () => {
    const { etcd, port } = await served();
    etcd.put(`${PREFIX}k`, `\x01\0\0\0\0\0${'x'.repeat(VALUE_BYTES_MAX)}`);
    const get = 'GET /key/k HTTP/1.1\r\nHost: a\r\n\r\n';
    const socket = connected(port);
    let said = '';
    const begun = new Promise<void>((resolve) => {
      socket.on('data', (text: string) => {
        said += text;
        resolve();
      });
    });
    socket.write(get.repeat(30));
    await begun;
    socket.pause();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('nonsense\r\n\r\n');
    await fetch(`http://127.0.0.1:${port}/healthz`);
    socket.resume();
    await closed;
    expect(said).toMatch(/^HTTP\/1.1 200 /);
    expect(said).not.toMatch(/NO_REQUEST/);
  });
});

test('a creation on a connection is over before the next request of it is begun', async () => {
  const { port } = await served();
  const head = 'HTTP/1.1\r\nHost: 127.0.0.1\r\n';
  const put = (value: string) =>
    `PUT /key/k ${head}If-None-Match: *\r\nContent-Length: 1\r\n\r\n${value}`;
  const get = `GET /key/k ${head}`;
  const said = await talk(port, `${put('v')}${get}\r\n${put('w')}${get}Connection: close\r\n\r\n`);
  const statuses = [...said.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => Number(status));
  expect(statuses).toEqual([201, 200, 409, 200]);
});

test('a body in chunks of one byte is taken', async () => {
  const { url, port } = await served();
  const chunks = [...'{"key":"k","value":"v"}'].map((one) => `1\r\n${one}\r\n`).join('');
  const request = `POST /key HTTP/1.1\r\nConnection: close\r\n${CHUNKED}\r\n${chunks}0\r\n\r\n`;
  expect(await talk(port, request)).toMatch(/^HTTP\/1.1 201 /);
  expect(await (await fetch(`${url}/key/k`)).text()).toBe('v');
});

test('a million keys in one request are refused, and so is JSON with too much in it', async () => {
  const { etcd, url } = await served();
  const post = async (path: string, body: string): Promise<unknown> => {
    const response = await fetch(url + path, { method: 'POST', body });
    return [response.status, ((await response.json()) as { code: string }).code];
  };
  const million = `[${Array.from({ length: 1e6 }, (_, i) => `{"key":"${i}","value":""}`).join()}]`;
  expect(await post('/keys', million)).toEqual([413, 'TOO_LARGE']);
  const many = `[${'[],'.repeat(2e6)}[]]`;
  expect(await post('/keys', many)).toEqual([413, 'TOO_MANY']);
  expect(await post('/key', many)).toEqual([422, 'INVALID']);
  expect(await post('/key', '['.repeat(8e6))).toEqual([422, 'INVALID']);
  // What is inside of a text counts for nothing.
  const value = '{[,\\"'.repeat(1e5);
  expect(await post('/key', JSON.stringify({ key: 'k', value }))).toEqual([201, 'CREATED']);
  expect(etcd.keys.size).toBe(1);
});

test('whoever sends many requests at once and waits for no answer is cut off, and nobody else', async () => {
  const { etcd, url, port } = await served();
  let open = (): void => {};
  etcd.gate = new Promise((resolve) => {
    open = resolve;
  });
  const other = fetch(`${url}/key/k`);
  const socket = connected(port);
  socket.write('GET /key/p HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1_000));
  await new Promise((resolve) => socket.once('close', resolve));
  open();
  expect((await other).status).toBe(404);
  expect((await fetch(`${url}/key/k`)).status).toBe(404);
});

test('whoever reads a cached value slowly is being answered, and does not make room', async () => {
  const { store } = await storeOnFake();
  const value = Buffer.alloc(VALUE_BYTES_MAX);
  await store.create({ key: Buffer.from('k'), value, flags: 0, type: '' });
  const guests = new Guests(1, 10);
  const desk = new Desk({ address: LOOPBACK }, { store }, guests, silentLogger);
  const answers = new EventEmitter();
  const server = http.createServer((request, response) => {
    desk.serve(request, response);
    answers.emit('answer', response.writableLength > 0);
  });
  server.on('connection', (socket) => guests.admit(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as net.AddressInfo;
  const slow = connected(port).pause();
  for (let i = 0, isLeft: unknown = false; !isLeft; i++) {
    expect(i).toBeLessThan(100);
    const answer = once(answers, 'answer');
    slow.write('GET /key/k HTTP/1.1\r\nHost: a\r\n\r\n');
    [isLeft] = (await answer) as [boolean];
  }
  expect(guests.requests).toBe(1);
  await once(connected(port), 'close');
  expect(slow.destroyed).toBe(false);
});

test('with too many requests for keys, further ones are refused, and probes are answered', async () => {
  const { store } = await storeOnFake();
  const guests = new Guests(10, 10);
  // As if so many were being answered.
  guests.requests = 8_192;
  const desk = new Desk({ address: LOOPBACK }, { store }, guests, silentLogger);
  const server = http.createServer((request, response) => desk.serve(request, response));
  server.on('connection', (socket) => guests.admit(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const refused = await fetch(`${url}/key/k`);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await refused.text()).toMatch(/too many requests at one time/);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  guests.requests = 0;
  expect((await fetch(`${url}/key/k`)).status).toBe(404);
});

test('a client that goes away in the middle of its body is no fault of the server', async () => {
  const { etcd, url, port } = await served();
  const socket = connected(port);
  socket.write(
    'PUT /key/k HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-None-Match: *\r\nContent-Length: 9\r\n\r\nx',
  );
  await fetch(`${url}/healthz`);
  socket.destroy();
  await fetch(`${url}/healthz`);
  expect(etcd.keys.size).toBe(0);
});
