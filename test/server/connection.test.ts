import { once } from 'node:events';
import net from 'node:net';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { createServer } from '../../src/server/create-server.ts';
import type { Server } from '../../src/server/server.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { PATIENCE_MS, waitFor } from '../support/patience.ts';
import { MapStorage, tableOf } from '../support/storages.ts';
import { TextClient } from '../support/text-client.ts';

const MIB = 1024 * 1024;
const SMALL = 'value of a';
const MIDDLE = 'm'.repeat(30_000);
const LARGE = Buffer.alloc(20 * MIB, 'large');
const RECORDS = [
  ['a', SMALL],
  ['middle', MIDDLE],
  ['large', LARGE],
] as const;
const CRLF = Buffer.from('\r\n');
const A = `VALUE a 0 10\r\n${SMALL}\r\nEND\r\n`;

/** A read that the kernel's buffers cannot swallow: the server is behind with its reply. */
const MANY_LARGE = 'get large\r\n'.repeat(10);

const table = tableOf(RECORDS);
let server: Server;
let address: Address & { kind: 'tcp' };

async function start(storage: Storage): Promise<void> {
  server = createServer({ storage });
  onTestFinished(() => server.close(0));
  address = (await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 })) as typeof address;
}

beforeEach(() => start(table));

/** A bare connection that reads nothing by itself. */
async function connect(): Promise<net.Socket> {
  const socket = net.connect({ port: address.port, host: '127.0.0.1' });
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

async function client(): Promise<TextClient> {
  const connected = await TextClient.connect(address);
  onTestFinished(() => connected.close());
  return connected;
}

async function stats(): Promise<Record<string, string>> {
  const one = await client();
  const found = await one.stats();
  one.close();
  return found;
}

async function readToEnd(socket: net.Socket): Promise<string> {
  return Buffer.concat(await socket.toArray()).toString('latin1');
}

describe.each([
  ['a table', () => table],
  ['a storage without wire form', () => new MapStorage(RECORDS)],
])('over %s', (_, storage) => {
  beforeEach(async () => {
    await server.close();
    await start(storage());
  });

  test('values of 20 MiB arrive whole, between small ones', async () => {
    const socket = await connect();
    socket.end('get a large middle none large a\r\nget a\r\n');
    const received = Buffer.concat(await socket.toArray());
    const block = (key: string, value: string | Buffer): Buffer =>
      Buffer.concat([Buffer.from(`VALUE ${key} 0 ${value.length}\r\n`), Buffer.from(value), CRLF]);
    const [a, large] = [block('a', SMALL), block('large', LARGE)];
    const hits = [a, large, block('middle', MIDDLE), large, a];
    expect(received.equals(Buffer.concat([...hits, Buffer.from(`END\r\n${A}`)]))).toBe(true);
  });

  test('thousands of commands at once are answered in order', async () => {
    const one = await client();
    one.send('get a\r\nget middle\r\nget none\r\n'.repeat(1000));
    for (let turn = 0; turn < 1000; turn++) {
      expect((await one.readHits('get'))[0].value.toString()).toBe(SMALL);
      expect((await one.readHits('get'))[0].value.length).toBe(MIDDLE.length);
      expect(await one.readHits('get')).toEqual([]);
    }
  });
});

test('a client that sends one byte at a time is answered', async () => {
  const socket = await connect();
  socket.setNoDelay(true);
  for (const byte of Buffer.from('get a\r\nget a\r\n')) {
    await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
  }
  socket.end();
  expect(await readToEnd(socket)).toBe(A + A);
});

test('a line of 1 MiB that arrives in small pieces is answered', async () => {
  const keys = Array.from({ length: Math.ceil(MIB / 8) }, (_, i) =>
    i % 1000 === 0 ? 'a' : 'missing',
  );
  const line = Buffer.from(`get ${keys.join(' ')}\r\n`);
  const socket = await connect();
  socket.setNoDelay(true);
  for (let at = 0; at < line.length; at += 1000) {
    await new Promise((resolve) => socket.write(line.subarray(at, at + 1000), resolve));
  }
  socket.end();
  const hits = Math.ceil(keys.length / 1000);
  expect(await readToEnd(socket)).toBe(`${A.slice(0, -5).repeat(hits)}END\r\n`);
});

test('a client that ends its side is answered, then the connection is closed', async () => {
  const socket = await connect();
  socket.end('get a\r\nget middle\r\nget a\r\n');
  expect(await readToEnd(socket)).toBe(`${A}VALUE middle 0 30000\r\n${MIDDLE}\r\nEND\r\n${A}`);
  await waitFor(async () => expect((await stats()).curr_connections).toBe('1'));
});

test('a client that ends its side with large replies to come gets them all', async () => {
  const socket = await connect();
  socket.end(MANY_LARGE);
  let bytes = 0;
  for await (const chunk of socket) bytes += chunk.length;
  expect(bytes).toBe(10 * (LARGE.length + `VALUE large 0 ${LARGE.length}\r\n\r\nEND\r\n`.length));
});

test('an unfinished command at the end of the input is not answered', async () => {
  const socket = await connect();
  socket.end('get a\r\nget a');
  expect(await readToEnd(socket)).toBe(A);
});

test('after quit, what came before is answered and what comes behind is not', async () => {
  const socket = await connect();
  socket.write('get a\r\nget middle\r\nquit\r\nget a\r\n');
  expect(await readToEnd(socket)).toBe(`${A}VALUE middle 0 30000\r\n${MIDDLE}\r\nEND\r\n`);
});

test('after quit behind large replies, they are sent whole', async () => {
  const socket = await connect();
  socket.write(`get large\r\nget large\r\nquit\r\nget a\r\n`);
  const received = await readToEnd(socket);
  expect(received.length).toBe(
    2 * (LARGE.length + `VALUE large 0 ${LARGE.length}\r\n\r\nEND\r\n`.length),
  );
});

test('a client that resets the connection in the middle of a reply harms no other', async () => {
  const other = await client();
  for (let turn = 0; turn < 20; turn++) {
    const socket = await connect();
    socket.write(MANY_LARGE);
    await new Promise((resolve) => socket.once('readable', resolve));
    socket.resetAndDestroy();
  }
  expect((await other.get(['a']))[0].value.toString()).toBe(SMALL);
  await waitFor(async () => expect((await stats()).curr_connections).toBe('2'));
});

describe('a client that does not read', () => {
  test('is no longer read from: it cannot make the server hold more and more', async () => {
    const socket = await connect();
    // 6 MB of commands, for 15 GB of replies.
    socket.write('get middle\r\n'.repeat(500_000));
    const other = await client();
    for (let turn = 0; turn < 300; turn++) {
      expect((await other.get(['a']))[0].value.toString()).toBe(SMALL);
    }
    const { bytes_read, bytes_written, cmd_get } = await other.stats();
    expect(Number(cmd_get)).toBeGreaterThan(310);
    expect(Number(bytes_read)).toBeLessThan(MIB);
    // Most of it is in the buffers of the kernel, which hold some megabytes.
    expect(Number(bytes_written)).toBeLessThan(24 * MIB);
  });

  test('is read from no faster than it reads, in however many turns', async () => {
    const socket = await connect();
    socket.write('get middle\r\n'.repeat(500_000));
    const other = await client();
    let received = 0;
    for (let turn = 0; turn < 200; turn++) {
      const [piece] = (await once(socket, 'data')) as [Buffer];
      received += piece.length;
      socket.pause();
      await other.get(['a']);
      socket.resume();
    }
    socket.pause();
    expect(received).toBeGreaterThan(MIDDLE.length);
    expect(Number((await other.stats()).bytes_read)).toBeLessThan(MIB / 4);
  });

  test('gets the rest when it reads again', async () => {
    const socket = await connect();
    socket.write(`${'get middle\r\n'.repeat(2000)}quit\r\n`);
    await waitFor(async () => expect(Number((await stats()).cmd_get)).toBeGreaterThan(10));
    expect(Number((await stats()).cmd_get)).toBeLessThan(2000);
    const received = await readToEnd(socket);
    expect(received.length).toBe(
      2000 * (MIDDLE.length + 'VALUE middle 0 30000\r\n\r\nEND\r\n'.length),
    );
  });

  test('and resets costs nothing more', async () => {
    const socket = await connect();
    socket.write('get middle\r\n'.repeat(2000));
    await waitFor(async () => expect(Number((await stats()).cmd_get)).toBeGreaterThan(10));
    socket.resetAndDestroy();
    await waitFor(async () => expect((await stats()).curr_connections).toBe('1'));
  });
});

describe('closing', () => {
  test('ends idle connections at once and answers nobody any more', async () => {
    const idle = await Promise.all([connect(), connect(), connect()]);
    await waitFor(async () => expect((await stats()).curr_connections).toBe('4'));
    const ends = idle.map(readToEnd);
    // For them it would wait longer than this test may take.
    await server.close(10 * PATIENCE_MS);
    expect(await Promise.all(ends)).toEqual(['', '', '']);
    await expect(TextClient.connect(address)).rejects.toThrow('ECONNREFUSED');
  });

  test('waits for replies that are under way', async () => {
    const socket = await connect();
    socket.write('get large\r\n'.repeat(3));
    await new Promise((resolve) => socket.once('readable', resolve));
    const closed = server.close();
    const received = await readToEnd(socket);
    expect(received.length).toBe(
      3 * (LARGE.length + `VALUE large 0 ${LARGE.length}\r\n\r\nEND\r\n`.length),
    );
    await closed;
  });

  test('cuts a client that does not read after the time that was given', async () => {
    const socket = await connect();
    socket.on('error', () => {});
    socket.write(MANY_LARGE);
    await waitFor(async () => expect(Number((await stats()).cmd_get)).toBeGreaterThan(0));
    await server.close(100);
  });

  test('is safe twice, and before it listens', async () => {
    await Promise.all([server.close(), server.close()]);
    await server.close();
    await createServer({ storage: table }).close();
  });
});
