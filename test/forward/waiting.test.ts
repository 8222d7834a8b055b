import { once } from 'node:events';
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/common/log.ts';
import { Anywhere } from '../../src/forward/anywhere.ts';
import type { Questions } from '../../src/forward/questions.ts';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { countersOf, createCounterMemory } from '../../src/protocol/counters.ts';
import { detectingProtocol } from '../../src/protocol/detect/detect.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/server/limits.ts';
import { createMeterMemory, meterOf } from '../../src/server/metering/metering.ts';
import { ThreadServer } from '../../src/server/thread-server.ts';
import { Asker } from '../../src/storage/lookup-counts.ts';
import { waitFor } from '../support/patience.ts';
import { tableOf } from '../support/storages.ts';

const OWN = 'VALUE own 0 4\r\nhere\r\n';

/** A server with the key `own`; all others are asked for, and answered by the test. */
async function start(limits: Partial<Limits> = {}) {
  const asked: Questions[] = [];
  const counterMemory = createCounterMemory(1);
  const handler = createSimpleHandler(tableOf([['own', 'here']]));
  const asker = new Asker();
  const shards = {
    own: 0,
    isShared: false,
    shardOf: (key: Buffer, start: number, end: number) =>
      key.toString('latin1', start, end) === 'own' ? 0 : 1,
  };
  const server = new ThreadServer({
    handler,
    foreign: () =>
      new Anywhere(handler, shards, { ask: (questions) => void asked.push(questions) }),
    protocol: detectingProtocol,
    counterMemory,
    thread: 0,
    asker,
    meter: meterOf(createMeterMemory(1), 0, asker),
    facts: { version: '1.6.99', threads: 1, startedAt: 0, connectionsMax: 10 },
    limits: { ...DEFAULT_LIMITS, ...limits },
    access: {},
    sessions: {},
    shutdown: undefined,
    onReport: () => {},
    logger: silentLogger,
  });
  onTestFinished(() => server.close(0));
  const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const connect = async (): Promise<net.Socket> => {
    const socket = net.connect({ port: address.kind === 'tcp' ? address.port : 0 });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  const socket = await connect();
  const asking = (count: number): Promise<void> =>
    waitFor(() => expect(asked.length).toBeGreaterThanOrEqual(count));
  const counters = countersOf(counterMemory, 0);
  return { server, handler, socket, connect, asked, asking, counters };
}

/** Reads on until it is enough. All that has come before is handed over in one turn, chunk by chunk. */
async function readUntil(socket: net.Socket, take: (chunk: Buffer) => boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    const onData = (chunk: Buffer): void => {
      if (!take(chunk)) return;
      socket.off('data', onData).pause();
      resolve();
    };
    socket.on('data', onData).resume();
  });
}

async function read(socket: net.Socket, end: string): Promise<string> {
  let read = '';
  await readUntil(socket, (chunk) => {
    read += chunk;
    return read.endsWith(end);
  });
  return read;
}

test('what is answered before goes out at once, and what is behind waits its turn', async () => {
  const { socket, asked, asking } = await start();
  socket.write('get own\r\nget own other\r\nget own\r\n');
  expect(await read(socket, `END\r\n${OWN}`)).toBe(`${OWN}END\r\n${OWN}`);
  await asking(1);
  socket.write('mn\r\n');
  asked[0].noteMiss(0);
  expect(await read(socket, 'MN\r\n')).toBe(`END\r\n${OWN}END\r\nMN\r\n`);
});

test('a client that goes while it waits harms nobody', async () => {
  const { socket, asked, asking, counters } = await start();
  socket.write('get other\r\n');
  await asking(1);
  socket.resetAndDestroy();
  await waitFor(() => expect(counters.curr_connections).toBe(0));
  asked[0].noteFault(0, 'too late');
  expect(counters.fault_kicks).toBe(0);
});

test('a client that has ended its side is answered, and so is one when the server closes', async () => {
  const { server, socket, asked, asking } = await start();
  socket.end('get other\r\n');
  await asking(1);
  const closed = server.close();
  asked[0].noteMiss(0);
  expect(String(await socket.toArray())).toBe('END\r\n');
  await closed;
});

test('a draining server waits for the answer', async () => {
  const { server, socket, asked, asking } = await start();
  socket.write('get other\r\n');
  await asking(1);
  const drained = server.drain();
  asked[0].noteFault(0, 'shard1 does not answer');
  expect(await read(socket, 'answer\r\n')).toBe('SERVER_ERROR shard1 does not answer\r\n');
  socket.destroy();
  await drained;
});

test('a get that waits is answered from the data that it began with', async () => {
  const { server, handler, socket, asked, asking, counters } = await start();
  socket.write('get other own\r\nget own\r\n');
  await asking(1);
  handler.swap(tableOf([['own', 'new!']], 8));
  server.noteSwap();
  expect(counters.stale_connections).toBe(1);
  asked[0].noteMiss(0);
  const after = OWN.replace('here', 'new!');
  expect(await read(socket, `${after}END\r\n`)).toBe(`${OWN}END\r\n${after}END\r\n`);
});

/** Answers a question with a value of so many bytes. */
function answer(questions: Questions, bytes: number): void {
  const buffer = Buffer.alloc(bytes, 'v');
  const place = { buffer, valueStart: 0, valueEnd: bytes, wireStart: -1 };
  questions.noteHit(0, { ...place, flags: 0, cas: 1 }, bytes);
}

/** Reads a hit with a value of so many bytes, and nothing more. */
async function readHit(socket: net.Socket, bytes: number): Promise<void> {
  let left = `VALUE other 0 ${bytes}\r\n\r\nEND\r\n`.length + bytes;
  let last = '';
  await readUntil(socket, (chunk) => {
    left -= chunk.length;
    last = (last + chunk.toString('latin1')).slice(-5);
    return left <= 0;
  });
  expect({ left, last }).toEqual({ left: 0, last: 'END\r\n' });
}

test('a value that is larger than all that may be held is answered, and asked for anew the next time', async () => {
  const bytes = DEFAULT_LIMITS.connectionBufferedBytesMax + 1;
  const { socket, asked, asking, counters } = await start({ bufferedBytesMax: bytes / 2 });
  for (const count of [1, 2, 3]) {
    socket.write('get other\r\n');
    await asking(count);
    answer(asked[count - 1], bytes);
    await readHit(socket, bytes);
  }
  expect(counters.buffer_kicks).toBe(0);
});

test('large values that clients do not read are held up to the limit of all, and no longer than they are read', async () => {
  // More than the system takes of it for a client that does not read.
  const bytes = 14 * 1024 * 1024;
  const { socket, connect, asked, asking, counters } = await start({
    bufferedBytesMax: 2.2 * bytes,
  });
  const others = [await connect(), await connect()];
  // It may be reset, which `once` would throw.
  const gone = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  for (const [i, client] of [socket, ...others].entries()) {
    client.write('get other\r\n');
    await asking(i + 1);
    expect(counters.buffer_kicks).toBe(0);
    answer(asked[i], bytes);
  }
  await waitFor(() => expect(counters.buffer_kicks).toBe(1));
  socket.resume();
  await gone;
  for (const client of others) {
    await readHit(client, bytes);
  }
  // What was read is not held any more: both may have as much again.
  for (const [i, client] of others.entries()) {
    client.write('get other\r\n');
    await asking(i + 4);
    answer(asked[i + 3], bytes);
  }
  for (const client of others) await readHit(client, bytes);
  expect(counters.buffer_kicks).toBe(1);
});
