import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BasicPooledClientSideCache, createClientPool } from 'redis';
import { expect, onTestFinished, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { RawClient } from '../support/raw-client.ts';

/** Serving threads have client ids with these last digits of their own. */
const THREADS_RANGE = 1_000;

/** So many connections are tried until one has come to the other thread. */
const CONNECTIONS_MAX = 200;

const MESSAGE = '*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n';

/** The program with two serving threads, which serves the first generation. */
async function start() {
  const file = join(temporaryFolder(), 'data.json');
  const dropped = (a: string): void => drop(file, JSON.stringify({ a }));
  const goromdb = new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', file, '-threads', '2']);
  const address = await goromdb.address();
  dropped('old');
  await goromdb.says(/generation 1 serves/);
  if (address.kind !== 'tcp') throw new Error('expected a TCP address');
  return { address, port: address.port, dropped };
}

function command(text: string): string {
  const words = text.split(' ');
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

test('a client of RESP2 is notified on a connection of another thread, and then reads the new value', async () => {
  const { address, dropped } = await start();
  const idOf = async (client: RawClient): Promise<number> => {
    return Number((await client.ask(command('CLIENT ID'), '\r\n')).slice(1));
  };
  const listener = await RawClient.connect(address);
  const id = await idOf(listener);
  await listener.ask(command('SUBSCRIBE __redis__:invalidate'), ':1\r\n');
  let data = await RawClient.connect(address);
  for (let i = 1; (await idOf(data)) % THREADS_RANGE === id % THREADS_RANGE; i++) {
    expect(i, 'all connections came to one thread').toBeLessThan(CONNECTIONS_MAX);
    data = await RawClient.connect(address);
  }
  expect(await data.ask(command(`CLIENT TRACKING ON REDIRECT ${id}`), '\r\n')).toBe('+OK\r\n');
  expect(await data.ask(command('GET a'), 'old\r\n')).toBe('$3\r\nold\r\n');
  const notice = listener.ask('', MESSAGE);
  dropped('new');
  expect(await notice).toBe(MESSAGE);
  // Once it is notified, no thread serves the old value.
  const answer = await data.ask(command('GET a') + command('PING'), '+PONG\r\n');
  expect(answer).toBe('$3\r\nnew\r\n+PONG\r\n');
});

test('a pool of node-redis with a cache, on all threads, reads the new value after a drop', async () => {
  const { port, dropped } = await start();
  const cache = new BasicPooledClientSideCache({ ttl: 0, maxEntries: 0 });
  const pool = createClientPool(
    { url: `redis://127.0.0.1:${port}`, RESP: 3 },
    { minimum: 8, maximum: 8, clientSideCache: cache },
  );
  onTestFinished(() => pool.destroy());
  await pool.connect();
  const read = () => Promise.all(Array.from({ length: 32 }, () => pool.get('a')));
  expect(new Set(await read())).toEqual(new Set(['old']));
  const { missCount } = cache.stats();
  expect(new Set(await read())).toEqual(new Set(['old']));
  expect(cache.stats().missCount).toBe(missCount);
  dropped('new');
  await expect.poll(async () => [...new Set(await read())]).toEqual(['new']);
  expect(new Set(await read())).toEqual(new Set(['new']));
});

test('clients are notified of a data set that comes by SIGHUP and takes keys from the one without a prefix', async () => {
  const folder = temporaryFolder();
  const config = join(folder, 'goromdb.toml');
  const sets = ['rest', 'geo'].map((name) => `[[data-set]]\nfile = "${name}/data"\n`);
  for (const name of ['rest', 'geo']) mkdirSync(join(folder, name));
  const head = 'addr = "127.0.0.1:0"\nthreads = 2\n';
  writeFileSync(config, head + sets[0]);
  const goromdb = new GoromdbProcess(['-config', config]);
  const address = await goromdb.address();
  drop(join(folder, 'rest', 'data'), JSON.stringify({ 'geo:a': 'old' }));
  await goromdb.says(/generation 1 serves/);
  const client = await RawClient.connect(address);
  await client.ask(command('HELLO 3'), 'modules\r\n*0\r\n');
  await client.ask(command('CLIENT TRACKING ON'), '+OK\r\n');
  expect(await client.ask(command('GET geo:a'), 'old\r\n')).toBe('$3\r\nold\r\n');
  const listener = await RawClient.connect(address);
  await listener.ask(command('SUBSCRIBE __redis__:invalidate'), ':1\r\n');
  const [own, redirected] = [client.ask('', '_\r\n'), listener.ask('', MESSAGE)];
  writeFileSync(config, `${head}${sets[0]}${sets[1]}prefix = "geo"\n`);
  await goromdb.kill('SIGHUP');
  expect(await own).toBe('>2\r\n$10\r\ninvalidate\r\n_\r\n');
  expect(await redirected).toBe(MESSAGE);
  expect(await client.ask(command('GET geo:a'), '\r\n')).toBe('_\r\n');
});
