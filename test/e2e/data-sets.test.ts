/** Several data sets by the library: everything comes from the package, the threads are real. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type GoromdbDataSets, type PrefixedDataSet, parseAddress, startDataSets } from 'goromdb';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { type CollectingLogger, collectingLogger } from '../support/collecting-logger.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { mortalProtocol } from '../support/mortal.ts';
import { RawClient } from '../support/raw-client.ts';

interface Started {
  readonly goromdb: GoromdbDataSets;
  readonly logger: CollectingLogger;
  readonly sets: readonly PrefixedDataSet[];
}

async function start(prefixes: readonly string[], threads: number): Promise<Started> {
  const folder = temporaryFolder();
  const logger = collectingLogger();
  const sets = prefixes.map((prefix): PrefixedDataSet => {
    mkdirSync(join(folder, prefix));
    return { prefix, file: join(folder, prefix, 'data'), storage: 'auto' };
  });
  const goromdb = await startDataSets({
    ...{ address: parseAddress('127.0.0.1:0'), protocol: mortalProtocol() },
    ...{ threads, logger, dataSets: sets },
  });
  onTestFinished(() => goromdb.close());
  for (const { prefix, file } of sets) {
    drop(file, JSON.stringify({ a: `of ${prefix}`, b: 'x' }));
    await logged(logger, `data set ${prefix}: generation 1 serves`);
  }
  return { goromdb, logger, sets };
}

function logged(logger: CollectingLogger, text: string): Promise<void> {
  return expect.poll(() => logger.lines.join('\n')).toContain(text);
}

const GET = 'get one:a two:a\r\n';
const BOTH = 'VALUE one:a 0 6\r\nof one\r\nVALUE two:a 0 6\r\nof two\r\nEND\r\n';

/** Asks on a new connection, as soon as there is a thread to take it. */
async function askAnew({ goromdb }: Started): Promise<string> {
  for (;;) {
    const client = await RawClient.connect(goromdb.address).catch(() => undefined);
    const found = await client?.ask(GET, 'END\r\n').catch(() => undefined);
    client?.socket.destroy();
    if (found !== undefined) return found;
  }
}

test.each([
  [1, 'throw'],
  [1, 'lost'],
  [2, 'exit'],
])(
  'of %d threads one that dies by %s is replaced by one with all data sets',
  async (threads, how) => {
    const started = await start(['one', 'two'], threads);
    expect(await askAnew(started)).toBe(BOTH);
    const killer = await RawClient.connect(started.goromdb.address);
    killer.socket.write(`get die:${how}\r\n`);
    await killer.readToEnd();
    await logged(started.logger, 'serves again');
    for (let i = 0; i < 2 * threads; i++) expect(await askAnew(started)).toBe(BOTH);
    // So do the figures of loads: any of the threads may answer.
    for (let i = 0; i < 2 * threads; i++) {
      const client = await RawClient.connect(started.goromdb.address);
      const stats = await client.ask('stats dataset\r\n', 'END\r\n');
      expect(stats).toContain('STAT dataset:one:last_load_error none\r\n');
      expect(stats).toContain('STAT dataset:two:drop_waiting none\r\n');
    }
  },
);

test('a Redis client scans all data sets, and INFO lists each', async () => {
  const folder = temporaryFolder();
  const logger = collectingLogger();
  const goromdb = await startDataSets({
    address: parseAddress('127.0.0.1:0'),
    logger,
    dataSets: ['one', 'two'].map((prefix) => {
      return { prefix, file: join(folder, prefix, 'data'), storage: 'json' };
    }),
    delimiter: '/',
  });
  onTestFinished(() => goromdb.close());
  for (const name of ['one', 'two']) {
    mkdirSync(join(folder, name), { recursive: true });
    drop(join(folder, name, 'data'), JSON.stringify({ a: name, b: name }));
    await logged(logger, `data set ${name}: generation 1 serves`);
  }
  const { address } = goromdb;
  const redis = new Redis({ port: address.kind === 'tcp' ? address.port : 0 });
  onTestFinished(() => redis.disconnect());
  expect(await redis.mget('one/a', 'two/b', 'a', 'one:a')).toEqual(['one', 'two', null, null]);
  const keys: string[] = [];
  let cursor = '0';
  do {
    const [next, found] = await redis.scan(cursor, 'COUNT', 1);
    keys.push(...found);
    cursor = next;
  } while (cursor !== '0');
  expect(keys.sort()).toEqual(['one/a', 'one/b', 'two/a', 'two/b']);
  const info = await redis.info('dataset');
  expect(info).toContain('\r\nkeys:4\r\n');
  expect(info).toContain('\r\ndataset_two:generation=1,keys=2,');
});

test('a change that cannot be made changes nothing, and a good one does at once what it says', async () => {
  const { goromdb, sets } = await start(['one', 'two'], 1);
  const [one, two] = sets;
  const client = await RawClient.connect(goromdb.address);
  await expect(
    goromdb.change({ dataSets: [one, { ...two, prefix: 'one' }] }),
  ).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: 'prefix: data set one comes twice',
  });
  await expect(
    goromdb.change({ dataSets: [one, { ...two, basedir: '/dev/null' }] }),
  ).rejects.toThrow('/dev/null');
  expect(await client.ask(GET, 'END\r\n')).toBe(BOTH);
  // What was taken away is given back: another server may have it.
  await goromdb.change({ dataSets: [one] });
  expect(await client.ask(GET, 'END\r\n')).toBe('VALUE one:a 0 6\r\nof one\r\nEND\r\n');
  const other = await startDataSets({ address: parseAddress('127.0.0.1:0'), dataSets: [two] });
  await other.close();
  await goromdb.change({ dataSets: sets });
  expect(await client.ask(GET, 'END\r\n')).toBe(BOTH);
  expect(existsSync(two.file)).toBe(false);
});

test('a data set under another prefix is found under the old one until it is under the new one', async () => {
  const { goromdb, sets, logger } = await start(['one', 'two'], 2);
  const [one, two] = sets;
  const many = Array.from({ length: 200_000 }, (_, i): [string, string] => [`key:${i}`, 'x']);
  drop(one.file, JSON.stringify({ ...Object.fromEntries(many), a: 'many' }));
  await logged(logger, 'data set one: generation 2 serves');
  const client = await RawClient.connect(goromdb.address);
  const read = (): Promise<string> => client.ask('get one:a new:a two:a\r\n', 'END\r\n');
  const TWO = 'VALUE two:a 0 6\r\nof two\r\n';
  let isDone = false;
  const change = goromdb
    .change({ dataSets: [{ ...one, prefix: 'new', basedir: dirname(one.file) }, two] })
    .finally(() => {
      isDone = true;
    });
  const replies = new Set<string>();
  while (!isDone) replies.add(await read());
  await change;
  for (const reply of replies) {
    expect(reply).toMatch(/^(?:VALUE (?:one|new):a 0 4\r\nmany\r\n){1,2}VALUE two:a /);
  }
  expect(await read()).toBe(`VALUE new:a 0 4\r\nmany\r\n${TWO}END\r\n`);
});
