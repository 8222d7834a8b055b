import net from 'node:net';
import { createClient } from 'redis';
import { expect, onTestFinished, test } from 'vitest';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { createServer } from '../../src/server/create-server.ts';
import type { ThreadServer } from '../../src/server/thread-server.ts';
import { RawClient } from '../support/raw-client.ts';
import { tableOf } from '../support/storages.ts';

const NEWS = '>2\r\n$10\r\ninvalidate\r\n_\r\n';
/** More than the system's own buffers take. */
const LARGE = Buffer.alloc(30_000_000, 'x').toString();
const VALUE = `$${LARGE.length}\r\n${LARGE}\r\n`;

async function serve(value: string) {
  const handler = createSimpleHandler(tableOf([['a', value]]));
  const server = createServer({ handler }) as ThreadServer;
  onTestFinished(() => server.close(0));
  const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  if (address.kind !== 'tcp') throw new Error('expected a TCP address');
  const swap = (next: string): void => {
    handler.swap(tableOf([['a', next]]));
    server.noteSwap();
    server.noteSwapEverywhere();
  };
  return { address, port: address.port, swap };
}

/** A command as clients send it. */
function command(text: string): string {
  const words = text.split(' ');
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

async function tracking(address: Parameters<typeof RawClient.connect>[0], options = '') {
  const client = await RawClient.connect(address);
  onTestFinished(() => void client.socket.destroy());
  await client.ask(command('HELLO 3'), 'modules\r\n*0\r\n');
  await client.ask(command(`CLIENT TRACKING ON${options}`), '+OK\r\n');
  return client;
}

test.each(['', ' BCAST', ' BCAST PREFIX a', ' OPTIN', ' NOLOOP'])(
  'an idle client with CLIENT TRACKING ON%s is told of each swap once',
  async (options) => {
    const { address, swap } = await serve('1');
    const client = await tracking(address, options);
    swap('2');
    swap('3');
    const text = await client.ask(command('GET a'), '$1\r\n3\r\n');
    expect(text).toBe(`${NEWS}${NEWS}$1\r\n3\r\n`);
  },
);

test('a client that tracks nothing, or no more, is not notified', async () => {
  const { address, swap } = await serve('1');
  const client = await tracking(address);
  await client.ask(command('CLIENT TRACKING OFF'), '+OK\r\n');
  swap('2');
  expect(await client.ask(command('GET a'), '2\r\n')).toBe('$1\r\n2\r\n');
});

test.each([
  [
    'in the middle of a reply',
    ['CLIENT TRACKING ON', 'MGET a a a'],
    ['+OK\r\n*3\r\n', VALUE, VALUE, VALUE],
  ],
  [
    'under an EXEC that has the client track from then on',
    ['MULTI', 'MGET a a', 'CLIENT TRACKING ON', 'GET a', 'EXEC'],
    ['+OK\r\n', '+QUEUED\r\n'.repeat(3), '*3\r\n*2\r\n', VALUE, VALUE, '+OK\r\n', VALUE],
  ],
])('a swap %s is told behind it', async (_, commands, replies) => {
  const { address, swap } = await serve(LARGE);
  const socket = net.connect(address.port, address.host);
  onTestFinished(() => void socket.destroy());
  socket.write(command('HELLO 3') + commands.map(command).join(''));
  const watcher = await RawClient.connect(address);
  await expect.poll(() => watcher.ask('stats conns\r\n', 'END\r\n')).toContain('conn_write');
  watcher.socket.destroy();
  swap('2');
  socket.end(command('PING'));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const hello = 'modules\r\n*0\r\n';
  const all = Buffer.concat(chunks).toString('latin1');
  const told = all.slice(all.indexOf(hello) + hello.length);
  // A difference of megabytes would take minutes to print.
  expect(told === `${replies.join('')}${NEWS}+PONG\r\n`).toBe(true);
});

test('tracking in RESP2 without REDIRECT is refused with what to do', async () => {
  const { address } = await serve('1');
  const client = await RawClient.connect(address);
  onTestFinished(() => void client.socket.destroy());
  const answer = await client.ask(command('CLIENT TRACKING ON'), '\r\n');
  expect(answer).toMatch(/^-ERR .*REDIRECT.*HELLO 3/);
});

const MESSAGE = '*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n';

async function idOf(client: RawClient): Promise<number> {
  return Number((await client.ask(command('CLIENT ID'), '\r\n')).slice(1));
}

test.each([
  [2, MESSAGE],
  [3, NEWS],
])('REDIRECT has the connection told that has subscribed, in RESP%i', async (resp, news) => {
  const { address, swap } = await serve('1');
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.connect(address);
    onTestFinished(() => void client.socket.destroy());
    return client;
  };
  const [data, listener] = [await connect(), await connect()];
  await listener.ask(command(`HELLO ${resp}`), 'modules\r\n*0\r\n');
  const id = await idOf(listener);
  await listener.ask(command('SUBSCRIBE __redis__:invalidate'), ':1\r\n');
  await data.ask(command(`CLIENT TRACKING ON REDIRECT ${id}`), '+OK\r\n');
  expect(await data.ask(command('CLIENT GETREDIR'), '\r\n')).toBe(`:${id}\r\n`);
  expect(await data.ask(command('GET a'), '1\r\n1\r\n')).toBe('$1\r\n1\r\n');
  let told = '';
  data.socket.on('data', (text) => {
    told += text;
  });
  swap('2');
  expect(await listener.ask('', news)).toBe(news);
  await data.ask(command('GET a'), '1\r\n2\r\n');
  // Who redirects is told nothing itself.
  expect(told).toBe('$1\r\n2\r\n');
  // Who has unsubscribed is told no more.
  await listener.ask(command('UNSUBSCRIBE'), ':0\r\n');
  swap('3');
  expect(await listener.ask(command('PING'), 'PONG\r\n')).toBe('+PONG\r\n');
});

test('a subscriber is notified when the other threads have swapped too, and not before', async () => {
  const handler = createSimpleHandler(tableOf([['a', '1']]));
  const server = createServer({ handler }) as ThreadServer;
  onTestFinished(() => server.close(0));
  const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const listener = await RawClient.connect(address);
  onTestFinished(() => void listener.socket.destroy());
  await listener.ask(command('SUBSCRIBE __redis__:invalidate'), ':1\r\n');
  server.noteSwap();
  const pong = '*2\r\n$4\r\npong\r\n$0\r\n\r\n';
  expect(await listener.ask(command('PING'), pong)).toBe(pong);
  server.noteSwapEverywhere();
  expect(await listener.ask('', MESSAGE)).toBe(MESSAGE);
});

test('node-redis keeps values in its cache, and reads anew after a swap', async () => {
  const { port, swap } = await serve('1');
  const client = createClient({
    url: `redis://127.0.0.1:${port}`,
    RESP: 3,
    clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' },
  });
  onTestFinished(() => client.destroy());
  await client.connect();
  expect(await client.get('a')).toBe('1');
  const before = Number((await client.info('stats')).match(/keyspace_hits:(\d+)/)![1]);
  expect(await client.get('a')).toBe('1');
  const after = Number((await client.info('stats')).match(/keyspace_hits:(\d+)/)![1]);
  expect(after).toBe(before);
  swap('2');
  await expect.poll(() => client.get('a')).toBe('2');
});
