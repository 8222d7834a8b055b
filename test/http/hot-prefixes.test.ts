import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startDataSets } from '../../src/app/app.ts';
import { parseAddress } from '../../src/common/address.ts';
import { hotPrefixes } from '../../src/http/hot-prefixes.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { RawClient } from '../support/raw-client.ts';
import { HttpSubject } from './http-subject.ts';

function lookup(key: string, wasHit = true) {
  return { key: Buffer.from(key, 'latin1'), wasHit };
}

interface Answer {
  readonly sampled: number;
  readonly prefixes: readonly { readonly prefix: string; readonly lookups: number }[];
}

it('prefixes are counted with their hits, the most asked for first', () => {
  const sample = [lookup('b:1'), lookup('a:1:2'), lookup('a:x', false), lookup(':')];
  expect(hotPrefixes(sample, ':')).toEqual([
    { prefix: 'a:', lookups: 2, hits: 1 },
    { prefix: 'b:', lookups: 1, hits: 1 },
    { prefix: ':', lookups: 1, hits: 1 },
  ]);
});

it('of keys without the delimiter nothing is shown', () => {
  expect(hotPrefixes([lookup('a-secret'), lookup('a.b')], ':')).toEqual([]);
});

it('what clients have put into a prefix is escaped', () => {
  const found = hotPrefixes([lookup('\u001b[2J:1'), lookup('\u00ff:1'), lookup('\u0085:')], ':');
  expect(found.map(({ prefix }) => prefix)).toEqual(['\\x1b[2J:', '\\xff:', '\\x85:']);
});

it('no more than 20 prefixes are shown', () => {
  const sample = Array.from({ length: 500 }, (_, i) => lookup(`${i % 100}:x`));
  expect(hotPrefixes(sample, ':')).toHaveLength(20);
});

it('without the option a server shows nothing of keys', async () => {
  const subject = await HttpSubject.start();
  const { status, text } = await subject.ask('/api/prefixes');
  expect([status, JSON.parse(text).message]).toEqual([
    404,
    'this server was started without -http-prefixes',
  ]);
});

it('a data set shows the prefixes of its own keys, behind that of the data set', async () => {
  const folder = temporaryFolder();
  const logger = collectingLogger();
  const files = ['geo', 'users'].map((name) => join(folder, name, 'data.json'));
  for (const file of files) mkdirSync(dirname(file));
  const goromdb = await startDataSets({
    ...{ address: parseAddress('127.0.0.1:0'), logger },
    http: { address: parseAddress('127.0.0.1:0'), prefixDelimiter: ':' },
    dataSets: files.map((file, i) => ({ prefix: ['geo', 'users'][i], file, storage: 'json' })),
  });
  onTestFinished(() => goromdb.close());
  drop(files[0], '{"city:paris":"1"}');
  await expect.poll(() => goromdb.status().dataSets[0].serving?.generation).toBe(1);
  const client = await RawClient.connect(goromdb.address);
  // The first lookups of a thread are sampled at random: one in 64.
  for (let i = 0; i < 200; i++) {
    await client.ask('get geo:city:paris geo:city:rome geo:land:x\r\n', 'END\r\n');
  }
  const line = logger.lines.find((one) => one.includes('answers HTTP on'))!;
  const url = `http://${/answers HTTP on (\S+)/.exec(line)![1]}/api/prefixes?data_set=`;
  const ask = async (set: string): Promise<Answer> =>
    (await (await fetch(url + set)).json()) as Answer;
  const { sampled, prefixes, ...about } = await ask('geo');
  expect(about).toEqual({ dataSet: 'geo', delimiter: ':', seconds: 300 });
  expect(sampled).toBeGreaterThan(0);
  const sum = prefixes.reduce((so, { lookups }) => so + lookups, 0);
  expect(sum).toBe(sampled);
  expect(['city:', 'land:']).toEqual(expect.arrayContaining(prefixes.map(({ prefix }) => prefix)));
  expect(await ask('users')).toMatchObject({ dataSet: 'users', sampled: 0, prefixes: [] });
  expect((await fetch(`${url}others`)).status).toBe(400);
});
