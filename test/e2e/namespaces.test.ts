import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import Memcached from 'memcached';
import { expect, onTestFinished, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../fixtures/${name}`, import.meta.url));

test('a client of memcached reads all namespaces of whatever file is dropped', async () => {
  const file = join(temporaryFolder(), 'data.db');
  const flags = ['-addr', '127.0.0.1:0', '-file', file, '-namespaces', '-D', '/'];
  const goromdb = new GoromdbProcess(flags);
  const address = await goromdb.address();
  const client = new Memcached(`127.0.0.1:${address.kind === 'tcp' ? address.port : 0}`);
  onTestFinished(() => client.end());
  const getMulti = (...keys: string[]): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      client.getMulti(keys, (error, values) => (error ? reject(error) : resolve(values)));
    });
  const keys = ['users/user-00007', 'orders/order-00007', 'users/order-00007', 'user-00007'];
  const expected = { 'users/user-00007': 'name-00007', 'orders/order-00007': 'total-00007' };

  drop(file, fixture('lmdb/v1-named.mdb'));
  await goromdb.says(/generation 1 serves .* 300 keys, .* of lmdb/);
  expect(await getMulti(...keys)).toEqual(expected);

  drop(file, gzipSync(fixture('bdb/databases.db')));
  await goromdb.says(/generation 2 serves .* 300 keys, .* of bdb/);
  expect(await getMulti(...keys)).toEqual(expected);

  // A bucket of this file is called "data/a".
  drop(file, fixture('bolt/buckets.db'));
  await goromdb.says(/rejected .*the bucket "data\/a" has the delimiter "\/" in its name/);
  expect(await getMulti(...keys)).toEqual(expected);

  drop(file, JSON.stringify({ users: { 'user-00007': 'Ann' }, orders: {} }));
  await goromdb.says(/generation 3 serves .* 1 key, .* of json/);
  expect(await getMulti(...keys)).toEqual({ 'users/user-00007': 'Ann' });
  expect(await goromdb.kill('SIGTERM')).toBe(0);
});

test('buckets of a bolt file are read as memcached would address them', async () => {
  const file = join(temporaryFolder(), 'data.db');
  const goromdb = new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', file, '-namespaces']);
  const address = await goromdb.address();
  const client = new Memcached(`127.0.0.1:${address.kind === 'tcp' ? address.port : 0}`);
  onTestFinished(() => client.end());
  drop(file, fixture('bolt/buckets.db'));
  await goromdb.says(/generation 1 serves .* 211 keys, .* of boltdb/);
  const value = await new Promise((resolve, reject) => {
    client.get('users:user-00200', (error, found) => (error ? reject(error) : resolve(found)));
  });
  expect(value).toBe('name-00200');
});
