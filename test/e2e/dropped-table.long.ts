import { closeSync, ftruncateSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Redis } from 'ioredis';
import Memcached from 'memcached';
import { expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { chosenKeys } from '../support/chosen-keys.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { tableBytes } from '../support/table-bytes.ts';
import { TextClient } from '../support/text-client.ts';

const KEYS = Array.from({ length: 3000 }, (_, i) => `key:${i}`);

function tableOf(version: number): Promise<Buffer> {
  return tableBytes(KEYS.map((key) => [key, `${version} of ${key} ${'v'.repeat(500)}`]));
}

function start(file: string): GoromdbProcess {
  return new GoromdbProcess(['-addr', '127.0.0.1:0', '-file', file]);
}

/** Fails unless all keys have the values of this version. */
async function expectVersion(address: Address, version: number): Promise<void> {
  const client = await TextClient.connect(address);
  for (let at = 0; at < KEYS.length; at += 100) {
    const keys = KEYS.slice(at, at + 100);
    const found = (await client.get(keys)).map(({ value }) => value.toString());
    expect(found).toEqual(keys.map((key) => `${version} of ${key} ${'v'.repeat(500)}`));
  }
  client.close();
}

test('a dropped table is served to memcached and Redis clients, and after a kill', async () => {
  const file = join(temporaryFolder(), 'data.mdb');
  const goromdb = start(file);
  const address = await goromdb.address();
  drop(file, await tableOf(1));
  await goromdb.says(/serves from .* of table/);
  await expectVersion(address, 1);
  if (address.kind !== 'tcp') throw new Error('expected a TCP address');

  const memcached = new Memcached(`127.0.0.1:${address.port}`);
  onTestFinished(() => memcached.end());
  const value = new Promise((resolve) => memcached.get('key:7', (_, found) => resolve(found)));
  expect(await value).toMatch(/^1 of key:7 v+$/);
  const redis = new Redis(address.port, '127.0.0.1');
  expect(await redis.dbsize()).toBe(KEYS.length);
  expect((await redis.mget('key:0', 'none', 'key:2999'))[2]).toMatch(/^1 of key:2999 v+$/);
  redis.disconnect();

  drop(file, await tableOf(2));
  await goromdb.says(/generation 2 .*of table/);
  await expectVersion(address, 2);
  await goromdb.kill('SIGKILL');
  const again = start(file);
  await again.says(/generation 2 .*of table/);
  await expectVersion(await again.address(), 2);
});

test('a producer that keeps its table open and spoils it later changes nothing', async () => {
  const file = join(temporaryFolder(), 'data.mdb');
  const goromdb = start(file);
  const address = await goromdb.address();
  const bytes = await tableOf(1);
  writeFileSync(`${file}.part`, bytes);
  const fd = openSync(`${file}.part`, 'r+');
  onTestFinished(() => closeSync(fd));
  renameSync(`${file}.part`, file);
  writeFileSync(`${file}.md5`, `${md5(bytes)}  ${basename(file)}\n`);
  await goromdb.says(/serves from .* of table/);
  await expectVersion(address, 1);
  // Other bytes would be served, and a file cut short ends whoever has it mapped.
  writeSync(fd, Buffer.alloc(bytes.length, 'x'), 0, bytes.length, 0);
  await expectVersion(address, 1);
  ftruncateSync(fd, 0);
  await expectVersion(address, 1);
  await goromdb.kill('SIGKILL');
  await expectVersion(await start(file).address(), 1);
});

test('a JSON file of 115,200 keys that were chosen to collide loads, and is served', async () => {
  const file = join(temporaryFolder(), 'data.json');
  const goromdb = start(file);
  const address = await goromdb.address();
  const keys = [...chosenKeys(115_200)].map(String);
  drop(file, JSON.stringify(Object.fromEntries(keys.map((key, i) => [key, `value ${i}`]))));
  await goromdb.says(/serves from /);
  const client = await TextClient.connect(address);
  for (let at = 0; at < keys.length; at += 1000) {
    const some = keys.slice(at, at + 10);
    const found = (await client.get(some)).map(({ value }) => value.toString());
    expect(found).toEqual(some.map((_, i) => `value ${at + i}`));
  }
  client.close();
});
