import { once } from 'node:events';
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/common/log.ts';
import { Anywhere } from '../../src/forward/anywhere.ts';
import type { Questions } from '../../src/forward/questions.ts';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { countersOf, createCounterMemory } from '../../src/protocol/counters.ts';
import { detectingProtocol } from '../../src/protocol/detect/detect.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { createMeterMemory, meterOf } from '../../src/server/metering/metering.ts';
import { ThreadServer } from '../../src/server/thread-server.ts';
import { Asker } from '../../src/storage/lookup-counts.ts';
import { waitFor } from '../support/patience.ts';
import { tableOf } from '../support/storages.ts';

const OWN = 'VALUE own 0 4\r\nhere\r\n';

/** A server with the key `own`; all others are asked for, and answered by the test. */
async function start() {
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
    limits: DEFAULT_LIMITS,
    access: {},
    sessions: {},
    shutdown: undefined,
    onReport: () => {},
    logger: silentLogger,
  });
  onTestFinished(() => server.close(0));
  const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const socket = net.connect({ port: address.kind === 'tcp' ? address.port : 0 });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  const asking = (count: number): Promise<void> =>
    waitFor(() => expect(asked.length).toBeGreaterThanOrEqual(count));
  return { server, handler, socket, asked, asking, counters: countersOf(counterMemory, 0) };
}

async function read(socket: net.Socket, end: string): Promise<string> {
  let read = '';
  socket.resume();
  while (!read.endsWith(end)) {
    const [chunk] = await once(socket, 'data');
    read += chunk;
  }
  socket.pause();
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

test('a value that is larger than a connection may hold is answered', async () => {
  const { socket, asked, asking } = await start();
  socket.write('get other\r\n');
  await asking(1);
  const buffer = Buffer.alloc(DEFAULT_LIMITS.connectionBufferedBytesMax + 1, 'v');
  const place = { buffer, valueStart: 0, valueEnd: buffer.length, wireStart: -1 };
  asked[0].noteHit(0, { ...place, flags: 0, cas: 1 }, buffer.length);
  const all = await read(socket, 'END\r\n');
  expect(all.length).toBe(`VALUE other 0 ${buffer.length}\r\n\r\nEND\r\n`.length + buffer.length);
});
