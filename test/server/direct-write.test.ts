import { once } from 'node:events';
import net from 'node:net';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type * as DirectWrite from '../../src/server/direct-write.ts';

let DirectWriter: typeof DirectWrite.DirectWriter;

// The first write tells it whether this version of Node has what it needs: it is the first in each test.
beforeEach(async () => {
  vi.resetModules();
  ({ DirectWriter } = await import('../../src/server/direct-write.ts'));
});

const BLOCK_BYTES = 4_000;

/** More than the system's buffers of a connection over loopback can hold. */
const BLOCKS_MAX = 5_000;

/** A block of bytes that no other has. */
function block(number: number): Buffer {
  return Buffer.from(String(number).padEnd(BLOCK_BYTES, `${number} `));
}

/** The two ends of a connection; the client does not read yet. */
async function pair(): Promise<{ readonly client: net.Socket; readonly served: net.Socket }> {
  const server = net.createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  client.pause();
  const [served] = (await once(server, 'connection')) as [net.Socket];
  onTestFinished(() => {
    client.destroy();
    served.destroy();
    server.close();
  });
  return { client, served };
}

async function readAll(client: net.Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of client) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Writes blocks until the system takes no more. */
function fillUp(writer: DirectWrite.DirectWriter): number {
  for (let number = 0; number < BLOCKS_MAX; number++) {
    if (!writer.write(block(number))) return number + 1;
  }
  throw new Error('the system takes it all');
}

function blocks(count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, number) => block(number)));
}

test('waits for a client that does not read, goes on when it does, and loses no byte', async () => {
  const { client, served } = await pair();
  let drains = 0;
  let count = 0;
  const writer: DirectWrite.DirectWriter = DirectWriter.on(served, () => {
    drains++;
    expect(writer.isPending).toBe(false);
    if (drains < 3) count += fillUp(writer);
    else served.end();
  })!;
  count += fillUp(writer);
  expect(writer.isPending).toBe(true);
  const received = await readAll(client);
  expect(drains).toBe(3);
  expect(received.length).toBe(count * BLOCK_BYTES);
});

test('sends what waits before the connection ends', async () => {
  const { client, served } = await pair();
  const writer = DirectWriter.on(served, () => {})!;
  const count = fillUp(writer);
  served.destroySoon();
  expect((await readAll(client)).equals(blocks(count))).toBe(true);
});

test('what is written to the stream afterwards comes afterwards', async () => {
  const { client, served } = await pair();
  const writer = DirectWriter.on(served, () => {})!;
  const count = fillUp(writer);
  served.end('the end');
  const expected = Buffer.concat([blocks(count), Buffer.from('the end')]);
  expect((await readAll(client)).equals(expected)).toBe(true);
});

test('survives a client that goes away while it waits, and a write after that', async () => {
  const { client, served } = await pair();
  served.on('error', () => {});
  const writer = DirectWriter.on(served, () => {})!;
  fillUp(writer);
  const isClosed = new Promise((closed) => served.once('close', closed));
  client.resetAndDestroy();
  await isClosed;
  expect(writer.write(block(0))).toBe(true);
});

test('has no use for a socket without a handle', () => {
  expect(DirectWriter.on(new net.Socket(), () => {})).toBeUndefined();
});
