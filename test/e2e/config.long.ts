/** Several data sets in one process, from a configuration file, as a user runs it. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import Memcached from 'memcached';
import { expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { TextClient } from '../support/text-client.ts';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../fixtures/${name}`, import.meta.url));

interface Scene {
  readonly folder: string;
  readonly config: string;
  readonly file: (name: string) => string;
  write(text: string): void;
}

/** A folder with a configuration, and a folder for each data set. */
function scene(): Scene {
  const folder = temporaryFolder();
  const config = join(folder, 'goromdb.toml');
  return {
    folder,
    config,
    file(name) {
      mkdirSync(join(folder, name), { recursive: true });
      return join(folder, name, 'data');
    },
    write: (text) => writeFileSync(config, text),
  };
}

function dataSet(name: string, more = ''): string {
  return `[[data-set]]\nprefix = "${name}"\nfile = "${name}/data"\n${more}\n`;
}

const HEAD = 'addr = "127.0.0.1:0"\n';

function memcached(address: Address): (...keys: string[]) => Promise<Record<string, unknown>> {
  const client = new Memcached(`127.0.0.1:${address.kind === 'tcp' ? address.port : 0}`);
  onTestFinished(() => client.end());
  return (...keys) =>
    new Promise((resolve, reject) => {
      client.getMulti(keys, (error, values) => (error ? reject(error) : resolve(values)));
    });
}

test('two data sets of different formats are read by one client; one swaps, the other keeps serving', async () => {
  const { config, file, write } = scene();
  write(
    `${HEAD}threads = 2\n${dataSet('users', 'namespaces = true\nD = "/"')}${dataSet('geo', 'storage = "json"\ncanary = "a"')}[[data-set]]\nfile = "rest/data"\n`,
  );
  for (const name of ['users', 'geo', 'rest']) file(name);
  const goromdb = new GoromdbProcess(['-config', config]);
  const address = await goromdb.address();
  const get = memcached(address);
  drop(file('users'), fixture('lmdb/v1-named.mdb'));
  drop(file('geo'), gzipSync(JSON.stringify({ a: 'one' })));
  drop(file('rest'), JSON.stringify({ plain: 'rest', 'geo:a': 'hidden' }));
  await goromdb.says(/data set users: generation 1 serves .* 300 keys, .* of lmdb/);
  await goromdb.says(/data set geo: generation 1 serves .* 1 key, .* of json/);
  await goromdb.says(/the data set without a prefix: generation 1 serves/);
  const keys = ['users:users/user-00007', 'geo:a', 'plain', 'a', 'geo:b', 'nobody:a'];
  const users = { 'users:users/user-00007': 'name-00007', plain: 'rest' };
  expect(await get(...keys)).toEqual({ ...users, 'geo:a': 'one' });

  drop(file('geo'), JSON.stringify({ a: 'two', b: 'new' }));
  await goromdb.says(/data set geo: generation 2 serves/);
  expect(await get(...keys)).toEqual({ ...users, 'geo:a': 'two', 'geo:b': 'new' });

  // The canary is named as in the file.
  drop(file('geo'), JSON.stringify({ b: 'without a' }));
  await goromdb.says(/data set geo: .*CANARY_MISSING/);
  expect(await get('geo:a')).toEqual({ 'geo:a': 'two' });

  const client = await RawClient.connect(address);
  const stats = await client.ask('stats dataset\r\n', 'END\r\n');
  expect(stats).toContain('STAT keys 304\r\n');
  expect(stats).toContain('STAT dataset:geo:generation 2\r\n');
  expect(stats).toContain('STAT dataset:users:keys 300\r\n');
  expect(stats).toContain('STAT dataset::format json\r\n');
  const dump = await client.ask('lru_crawler metadump all\r\n', 'END\r\n');
  expect(dump.match(/^key=/gm)).toHaveLength(303);
  expect(await goromdb.kill('SIGTERM')).toBe(0);

  const again = new GoromdbProcess(['-config', config]);
  const getAgain = memcached(await again.address());
  expect(await getAgain(...keys)).toEqual({ ...users, 'geo:a': 'two', 'geo:b': 'new' });
});

test('data sets of all formats are found under their prefix, with keys of any length', async () => {
  const { config, file, write } = scene();
  write(`${HEAD}${dataSet('plain')}${dataSet('json')}`);
  for (const name of ['plain', 'json']) file(name);
  const goromdb = new GoromdbProcess(['-config', config]);
  const address = await goromdb.address();
  drop(file('json'), JSON.stringify({ a: 'one', ['k'.repeat(3000)]: 'long' }));
  await goromdb.says(/data set json: generation 1 serves/);
  drop(file('plain'), fixture('lmdb/v2-plain.mdb'));
  await goromdb.says(/data set plain: generation 1 serves/);
  const found = await memcached(address)('json:a', 'plain:key-00067', 'plain:a', 'json:b', 'a');
  expect(Object.keys(found).sort()).toEqual(['json:a', 'plain:key-00067']);
  const client = await RawClient.connect(address);
  const dump = await client.ask('lru_crawler metadump all\r\n', 'END\r\n');
  expect(dump.match(/^key=json%3A(?=a |kk)/gm)).toHaveLength(2);
  const stats = await client.ask('stats dataset\r\n', 'END\r\n');
  const plainKeys = Number(/dataset:plain:keys (\d+)/.exec(stats)?.[1]);
  expect(dump.match(/^key=plain%3Akey-/gm)?.length).toBeGreaterThan(plainKeys / 2);
});

test('SIGHUP adds, changes and removes data sets under load, and no request fails', async () => {
  const { config, file, write } = scene();
  const stays = dataSet('stays', 'storage = "json"');
  write(`${HEAD}threads = 2\n${stays}${dataSet('changes')}${dataSet('goes')}`);
  for (const name of ['stays', 'changes', 'goes', 'comes']) file(name);
  const goromdb = new GoromdbProcess(['-config', config]);
  const address = await goromdb.address();
  const text = JSON.stringify({ a: 'one' });
  for (const name of ['stays', 'changes', 'goes']) {
    drop(file(name), text);
    await goromdb.says(new RegExp(`data set ${name}: generation 1 serves`));
  }
  const client = await TextClient.connect(address);
  onTestFinished(() => client.close());
  let isDone = false;
  let rounds = 0;
  const load = (async () => {
    while (!isDone) {
      const hits = await client.get(['stays:a', 'changes:a'], 'gets');
      expect(hits.map(({ key }) => key)).toEqual(['stays:a', 'changes:a']);
      rounds++;
      await nextTurn();
    }
  })();

  drop(file('comes'), text);
  const next = `${HEAD}threads = 2\n${stays}${dataSet('changes', 'min-keys = 1')}${dataSet('comes')}`;
  write(next);
  await goromdb.kill('SIGHUP');
  await goromdb.says(
    /data sets: added data set comes; changed data set changes; removed data set goes/,
  );
  await goromdb.says(/data set comes: generation 1 serves/);
  await goromdb.says(/goromdb\.toml was read again/);
  expect(await memcached(address)('stays:a', 'changes:a', 'goes:a', 'comes:a')).toEqual({
    'stays:a': 'one',
    'changes:a': 'one',
    'comes:a': 'one',
  });
  // It was left alone: it is not loaded again.
  expect(goromdb.stderr.match(/data set stays: generation/g)).toHaveLength(1);

  write(next.replace('min-keys = 1', 'min-keys = "many"'));
  await goromdb.kill('SIGHUP');
  await goromdb.says(
    /error not reloaded: .*goromdb\.toml:10: min-keys: "many" is not allowed; .*what was in use stays/,
  );
  write(next.replace('threads = 2', 'threads = 3'));
  await goromdb.kill('SIGHUP');
  await goromdb.says(/a change of threads takes effect at the next start/);
  drop(file('changes'), JSON.stringify({ a: 'three' }));
  await goromdb.says(/data set changes: generation 2 serves/);
  isDone = true;
  await load;
  expect(rounds).toBeGreaterThan(10);
  expect(await memcached(address)('changes:a')).toEqual({ 'changes:a': 'three' });
  expect(await goromdb.kill('SIGTERM')).toBe(0);
});

test('a data set that SIGHUP gives another prefix or file keeps its base folder', async () => {
  const { config, file, write } = scene();
  write(`${HEAD}${dataSet('old')}`);
  file('old');
  const goromdb = new GoromdbProcess(['-config', config]);
  const get = memcached(await goromdb.address());
  drop(file('old'), JSON.stringify({ a: 'one' }));
  await goromdb.says(/generation 1 serves/);
  write(`${HEAD}[[data-set]]\nprefix = "new"\nfile = "old/other"\nbasedir = "old"\n`);
  await goromdb.kill('SIGHUP');
  await goromdb.says(/was read again/);
  expect(await get('old:a', 'new:a')).toEqual({ 'new:a': 'one' });

  // With nothing in another folder, it keeps serving.
  write(`${HEAD}[[data-set]]\nprefix = "new"\nfile = "old/other"\nbasedir = "elsewhere"\n`);
  await goromdb.kill('SIGHUP');
  await goromdb.says(/data set new: it keeps serving what it has until .*old\/other is loaded/);
  expect(await get('new:a')).toEqual({ 'new:a': 'one' });
});

test('a base folder that another process has makes SIGHUP change nothing', async () => {
  const { config, file, write, folder } = scene();
  file('one');
  file('taken');
  const other = new GoromdbProcess(['-file', join(folder, 'taken/data'), '-addr', '127.0.0.1:0']);
  await other.address();
  write(`${HEAD}${dataSet('one')}`);
  const goromdb = new GoromdbProcess(['-config', config]);
  const get = memcached(await goromdb.address());
  drop(file('one'), JSON.stringify({ a: 'one' }));
  await goromdb.says(/generation 1 serves/);
  write(`${HEAD}${dataSet('two')}${dataSet('taken')}`);
  file('two');
  await goromdb.kill('SIGHUP');
  await goromdb.says(/error not reloaded: the base folder .*taken is in use by another goromdb/);
  expect(await get('one:a')).toEqual({ 'one:a': 'one' });
  // What was taken for the other data set was given back.
  const free = new GoromdbProcess(['-file', join(folder, 'two/data'), '-addr', '127.0.0.1:0']);
  await free.address();
});

test('check-config says ok, or what is wrong, and the exit code says it too', async () => {
  const { config, write, folder } = scene();
  write(`${HEAD}${dataSet('a')}${dataSet('b')}`);
  const good = new GoromdbProcess(['check-config', config]);
  expect(await good.exit()).toBe(0);
  expect(good.stdout).toMatch(/is ok: 2 data sets on 127\.0\.0\.1:0\n {2}keys under a: .*a\/data/);
  mkdirSync(join(folder, 'a'));
  symlinkSync(join(folder, 'a'), join(folder, 'b'));
  const bad = new GoromdbProcess(['check-config', config]);
  expect(await bad.exit()).toBe(2);
  expect(bad.stderr).toMatch(
    /^goromdb: .*goromdb\.toml: basedir: data set a and data set b share .*: each needs its own.*\n$/,
  );
  const served = new GoromdbProcess(['-config', config]);
  expect(await served.exit()).toBe(2);
  expect(served.stderr).toBe(bad.stderr);
});

test('-config takes no other flag', async () => {
  const goromdb = new GoromdbProcess(['-config', 'goromdb.toml', '-threads', '2']);
  expect(await goromdb.exit()).toBe(2);
  expect(goromdb.stderr).toContain('-config: expected no other flag, found -threads');
});
