import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../../src/common/address.ts';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { respProtocol } from '../../src/protocol/resp/resp.ts';
import type { AccessOptions } from '../../src/server/access.ts';
import { createServer } from '../../src/server/create-server.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { temporaryFolder } from '../support/folder.ts';
import { tableOf } from '../support/storages.ts';

const RECORDS: Readonly<Record<string, Buffer>> = {
  plain: Buffer.from('value'),
  empty: Buffer.alloc(0),
  unicode: Buffer.from('Grüße, 世界'),
  'key with spaces': Buffer.from('\r\n$-1\r\n'),
  large: Buffer.alloc(3_000_000, 'x'),
};

const READ_ONLY = "READONLY You can't write against a read only replica.";

async function serve(storage: Storage, access?: AccessOptions): Promise<Served> {
  const handler = createSimpleHandler(storage);
  const server = createServer({ handler, protocol: respProtocol, ...(access && { access }) });
  onTestFinished(() => server.close());
  const address = await server.listen(parseAddress('127.0.0.1:0'));
  if (address.kind !== 'tcp') throw new Error('expected a TCP address');
  return { port: address.port, swap: (next) => handler.swap(next) };
}

interface Served {
  readonly port: number;
  swap(next: Storage): void;
}

/** A client that asks once: an answer that it takes badly, or none, ends the test. */
function connect(port: number, options: RedisOptions = {}): Redis {
  const client = new Redis({
    ...options,
    port,
    connectionName: 'a-test',
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  onTestFinished(() => client.disconnect());
  return client;
}

describe('the client ioredis', () => {
  test('reads every kind of value', async () => {
    const { port } = await serve(tableOf(Object.entries(RECORDS)));
    const client = connect(port);
    for (const [key, value] of Object.entries(RECORDS)) {
      expect((await client.getBuffer(key))?.equals(value)).toBe(true);
      expect(await client.strlen(key)).toBe(value.length);
    }
    expect(await client.get('none')).toBeNull();
    expect(await client.mget('plain', 'none', 'unicode')).toEqual(['value', null, 'Grüße, 世界']);
    expect(await client.exists('plain', 'none', 'empty')).toBe(2);
    expect(await client.type('plain')).toBe('string');
    expect(await client.ttl('plain')).toBe(-1);
    expect(await client.getrange('plain', 1, 3)).toBe('alu');
    expect(await client.dbsize()).toBe(5);
    expect(await client.client('GETNAME')).toBe('a-test');
    expect(await client.info('keyspace')).toContain('db0:keys=5,');
    expect(await client.config('GET', 'maxmemory')).toEqual(['maxmemory', '0']);
    expect(await client.quit()).toBe('OK');
  });

  test('sends pipelines', async () => {
    const { port } = await serve(tableOf(Object.entries(RECORDS)));
    const pipeline = connect(port).pipeline();
    for (let i = 0; i < 2_000; i++) pipeline.get(i % 3 === 0 ? 'none' : 'plain');
    const results = await pipeline.exec();
    expect(results).toEqual(
      Array.from({ length: 2_000 }, (_, i) => [null, i % 3 === 0 ? null : 'value']),
    );
  });

  test('scans all keys, and asks for many at once, while the data is swapped', async () => {
    const keys = Array.from({ length: 20_000 }, (_, at) => `key:${at}`);
    const generation = (number: number): Storage =>
      tableOf(
        keys.map((key) => [key, `${number} of ${key}`]),
        number,
      );
    const { port, swap } = await serve(generation(1));
    const client = connect(port);
    const scanned = new Set<string>();
    let pages = 0;
    for await (const page of client.scanStream({ count: 500 })) {
      for (const key of page as readonly string[]) scanned.add(key);
      if (++pages === 20) swap(generation(2));
    }
    expect(scanned.size).toBe(20_000);
    const asked = client.mget(keys);
    swap(generation(3));
    const values = await asked;
    const [number] = values[0]!.split(' ');
    expect(values).toEqual(keys.map((key) => `${number} of ${key}`));
  });

  test('survives refused commands on one connection', async () => {
    const { port } = await serve(tableOf(Object.entries(RECORDS)));
    const client = connect(port);
    const id = await client.client('ID');
    await expect(client.set('plain', 'other')).rejects.toThrow(READ_ONLY);
    await expect(client.set('plain', 'x'.repeat(3_000_000))).rejects.toThrow(READ_ONLY);
    await expect(client.del('plain')).rejects.toThrow(READ_ONLY);
    await expect(client.hset('plain', 'field', 'other')).rejects.toThrow(READ_ONLY);
    await expect(client.flushall()).rejects.toThrow(READ_ONLY);
    await expect(client.hget('plain', 'field')).rejects.toThrow(
      'WRONGTYPE Operation against a key',
    );
    expect(await client.get('plain')).toBe('value');
    expect(await client.client('ID')).toBe(id);
  });
});

test('ioredis logs in by name and password, or by the password of the user default', async () => {
  const userFile = join(temporaryFolder(), 'users');
  writeFileSync(userFile, 'ann:s3cret\ndefault:common\n');
  const { port } = await serve(tableOf(Object.entries(RECORDS)), { allow: [], userFile });
  for (const login of [{ username: 'ann', password: 's3cret' }, { password: 'common' }]) {
    expect(await connect(port, login).get('plain')).toBe('value');
  }
  const wrong = connect(port, { username: 'ann', password: 'common' });
  wrong.on('error', () => {});
  await expect(wrong.get('plain')).rejects.toThrow('WRONGPASS');
});

test('ioredis reads in a transaction, and gets an error for a write in it', async () => {
  const { port } = await serve(tableOf(Object.entries(RECORDS)));
  const client = connect(port);
  const replies = await client.multi().get('plain').mget('unicode', 'none').strlen('large').exec();
  expect(replies).toEqual([
    [null, 'value'],
    [null, [RECORDS.unicode.toString(), null]],
    [null, 3_000_000],
  ]);
  await expect(client.multi().get('plain').set('plain', 'x').exec()).rejects.toThrow('EXECABORT');
  expect(await client.get('plain')).toBe('value');
});

test('each client of ioredis has a number of its own', async () => {
  const { port } = await serve(tableOf([]));
  const clients = [connect(port), connect(port), connect(port)];
  const ids = await Promise.all(clients.map((client) => client.client('ID')));
  expect(new Set(ids).size).toBe(3);
});
