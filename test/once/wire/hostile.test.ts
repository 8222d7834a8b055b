import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../../src/common/log.ts';
import { VALUE_BYTES_MAX } from '../../../src/once/limits.ts';
import type { CachedStore } from '../../../src/once/once.ts';
import { startWire } from '../../../src/once/wire/listener.ts';
import { INLINE_BYTES_MAX } from '../../../src/protocol/resp/inline.ts';
import type { FakeEtcd } from '../../support/fake-etcd.ts';
import { LOOPBACK, storeOnFake } from '../../support/once-node.ts';

async function served(): Promise<{ etcd: FakeEtcd; store: CachedStore; port: number }> {
  const { etcd, store } = await storeOnFake();
  const wire = await startWire({ address: LOOPBACK, access: {} }, store, silentLogger);
  onTestFinished(() => wire.close());
  return { etcd, store, port: wire.address.kind === 'tcp' ? wire.address.port : 0 };
}

async function connected(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** What is answered, until it ends with `end`, or the server closes. */
async function said(socket: net.Socket, end: string): Promise<string> {
  let output = '';
  for await (const piece of socket as AsyncIterable<string>) {
    output += piece;
    if (output.endsWith(end)) break;
  }
  return output;
}

async function ask(port: number, input: string, end = '\r\n'): Promise<string> {
  const socket = await connected(port);
  socket.write(input, 'latin1');
  return said(socket, end);
}

test('whoever only connects locks nobody out', async () => {
  const { port } = await served();
  await Promise.all(Array.from({ length: 1_100 }, () => connected(port)));
  expect(await ask(port, 'get a\r\n')).toBe('END\r\n');
});

test.each([
  ['a key in no UTF-8', 'add a\xff 0 0 1\r\nx\r\n', /^CLIENT_ERROR expected a key in UTF-8/],
  ['a key with a control character', 'set a\x01 0 0 1\r\nx\r\n', /^CLIENT_ERROR /],
  ['a key that is too long', `add ${'k'.repeat(251)} 0 0 1\r\nx\r\n`, /^CLIENT_ERROR /],
  ['by ms, a key in no UTF-8', 'ms a\xff 1\r\nx\r\n', /^CLIENT_ERROR expected a key in UTF-8/],
  ['by ms, a coded key of zeros', 'ms AAAA 1 b\r\nx\r\n', /^CLIENT_ERROR /],
  ['by SET, a key in no UTF-8', '*3\r\n$3\r\nSET\r\n$2\r\na\xff\r\n$1\r\nx\r\n', /^-ERR /],
  ['by SET, no key', '*3\r\n$3\r\nSET\r\n$0\r\n\r\n$1\r\nx\r\n', /^-ERR /],
  [
    'by SET, a key that is too long',
    `*3\r\n$3\r\nSET\r\n$251\r\n${'k'.repeat(251)}\r\n$1\r\nx\r\n`,
    /^-ERR /,
  ],
  ['by SET, a value that is too large', `*3\r\n$3\r\nSET\r\n$1\r\na\r\n$${2 ** 21}\r\n`, /^-ERR /],
  ['a million arguments', '*2000000\r\n', /^-ERR Protocol error/],
])('refuses %s, and creates nothing', async (_, input, answer) => {
  const { etcd, port } = await served();
  expect(await ask(port, input)).toMatch(answer);
  expect(etcd.keys.size).toBe(0);
});

test('a data block that never ends is never kept', async () => {
  const { etcd, port } = await served();
  const socket = await connected(port);
  socket.write(`set a 0 0 2147483645\r\n${'x'.repeat(1000)}`);
  expect(await said(socket, '\r\n')).toBe('SERVER_ERROR object too large for cache\r\n');
  expect(etcd.keys.size).toBe(0);
});

test.each([0, 50])(
  'a line that is too long is refused, if its end comes %i ms later',
  async (ms) => {
    const { etcd, port } = await served();
    const socket = await connected(port);
    socket.write('*1\r\n$4\r\nPING\r\n');
    socket.write(`SET k ${'x'.repeat(INLINE_BYTES_MAX)}`);
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    socket.end('\r\n');
    expect(await said(socket, 'request\r\n')).toBe(
      '+PONG\r\n-ERR Protocol error: too big inline request\r\n',
    );
    expect(etcd.keys.size).toBe(0);
  },
);

test('a request for more keys than one may read is refused', async () => {
  const { etcd, port } = await served();
  const many = Array.from({ length: 10_001 }, (_, i) => `$6\r\n${100_000 + i}\r\n`).join('');
  expect(await ask(port, `*10002\r\n$4\r\nMGET\r\n${many}`)).toMatch(/^-ERR too many keys/);
  expect(etcd.asked).toEqual([]);
});

test('a request for more values than may be held is answered piece by piece', async () => {
  const { store } = await served();
  const item = { value: Buffer.alloc(VALUE_BYTES_MAX, 'x'), flags: 0, type: '', revision: 5 };
  store.read = async () => ({ kind: 'found', item });
  const wire = await startWire({ address: LOOPBACK, access: {} }, store, silentLogger);
  onTestFinished(() => wire.close());
  const port = wire.address.kind === 'tcp' ? wire.address.port : 0;
  const keys = Array.from({ length: 200 }, (_, i) => `big${i}`);
  const socket = await connected(port);
  socket.write(`get ${keys.join(' ')}\r\n`);
  let length = 0;
  for await (const piece of socket as AsyncIterable<string>) {
    length += piece.length;
    if (piece.endsWith('END\r\n')) break;
  }
  expect(length).toBeGreaterThan(200 * VALUE_BYTES_MAX);
});

test('a request that comes byte by byte behind a long beginning is answered', async () => {
  const { port } = await served();
  const socket = await connected(port);
  socket.setNoDelay();
  socket.write(
    `*3\r\n$3\r\nSET\r\n$1\r\na\r\n$${VALUE_BYTES_MAX}\r\n${'x'.repeat(VALUE_BYTES_MAX - 200)}`,
  );
  for (const byte of `${'x'.repeat(200)}\r\n*2\r\n$6\r\nSTRLEN\r\n$1\r\na\r\n`) {
    socket.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await said(socket, `:${VALUE_BYTES_MAX}\r\n`)).toBe(`+OK\r\n:${VALUE_BYTES_MAX}\r\n`);
});

test('what a client has asked is not answered when it has gone away', async () => {
  const { store } = await served();
  const item = { value: Buffer.alloc(VALUE_BYTES_MAX, 'x'), flags: 0, type: '', revision: 5 };
  let reads = 0;
  store.read = async () => {
    reads++;
    return { kind: 'found', item };
  };
  const wire = await startWire({ address: LOOPBACK, access: {} }, store, silentLogger);
  onTestFinished(() => wire.close());
  const port = wire.address.kind === 'tcp' ? wire.address.port : 0;
  const socket = await connected(port);
  socket.pause().write('get large\r\n'.repeat(5_000));
  await expect.poll(() => reads).toBeGreaterThan(0);
  socket.destroy();
  expect(await ask(port, 'get small\r\n', 'x\r\nEND\r\n')).toMatch(/^VALUE small /);
  expect(reads).toBeLessThan(1_000);
});
