import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { FakeEtcd } from '../../support/fake-etcd.ts';
import { serveHttp, storeOnFake } from '../../support/once-node.ts';

async function served(): Promise<{ etcd: FakeEtcd; url: string; port: number }> {
  const { etcd, store } = await storeOnFake();
  const url = await serveHttp(store);
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
  socket.write(input);
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
  expect(await talk(port, post + chunk.repeat(9))).toMatch(/^HTTP\/1.1 413 /);
  const put = `PUT /key/k HTTP/1.1\r\n${CHUNKED}If-None-Match: *\r\n\r\n`;
  expect(await talk(port, put + chunk.repeat(2))).toMatch(/^HTTP\/1.1 413 /);
  expect(etcd.keys.size).toBe(0);
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
