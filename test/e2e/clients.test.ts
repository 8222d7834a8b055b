import { join } from 'node:path';
import { type Goromdb, startGoromdb } from 'goromdb';
import { Memcache } from 'memcache';
import { MemcacheClient } from 'memcache-client';
import Memcached from 'memcached';
import { expect, onTestFinished, test } from 'vitest';
import { collectingLogger } from '../support/collecting-logger.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { PATIENCE_MS } from '../support/patience.ts';

const RECORDS = {
  plain: 'value',
  empty: '',
  unicode: 'Grüße, 世界',
  large: 'x'.repeat(300_000),
};

async function serve(
  records: Record<string, string>,
): Promise<{ goromdb: Goromdb; server: string }> {
  const file = join(temporaryFolder(), 'data.json');
  const logger = collectingLogger();
  drop(file, JSON.stringify(records));
  const address = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
  const goromdb = await startGoromdb({ address, storage: 'json', file, logger });
  onTestFinished(() => goromdb.close());
  await expect.poll(() => logger.lines.join('\n')).toContain(' serves from ');
  const bound = goromdb.address;
  if (bound.kind !== 'tcp') throw new Error('expected a TCP address');
  return { goromdb, server: `127.0.0.1:${bound.port}` };
}

test('the client memcache-client reads every kind of value and survives refused writes', async () => {
  // A value may look like a reply; this client goes by its length, as it should.
  const records = { ...RECORDS, lines: 'END\r\nVALUE plain 0 5\r\n' };
  const { server } = await serve(records);
  const client = new MemcacheClient({ server });
  onTestFinished(() => client.shutdown());
  for (const [key, value] of Object.entries(records)) {
    expect((await client.get<string>(key)).value).toBe(value);
  }
  const hits = await client.get<Record<string, { value: string }>>(['plain', 'none', 'unicode']);
  expect(Object.keys(hits)).toEqual(['plain', 'unicode']);
  expect((await client.gets<string>('plain')).casUniq).toBe('1');
  expect(await client.get('none')).toBeUndefined();
  await expect(client.set('plain', 'other')).rejects.toThrow('NOT_STORED');
  await expect(client.delete('plain')).rejects.toThrow('NOT_FOUND');
  await expect(client.incr('plain', 1)).rejects.toThrow('NOT_FOUND');
  await expect(client.cmd('flush_all')).rejects.toThrow('flush_all not allowed');
  await client.set('plain', 'other', { noreply: true });
  expect((await client.get<string>('plain')).value).toBe('value');
  expect(await client.version()).toEqual(['VERSION', '1.6.18']);
  const stats = await client.cmd<{ STAT: string[][] }>('stats');
  expect(stats.STAT).toContainEqual(['generation', '1']);
});

test('the client memcached reads every kind of value and survives refused writes', async () => {
  const { server } = await serve(RECORDS);
  // With no retries and no reconnects, an answer that the client takes badly ends the test.
  const client = new Memcached(server, { retries: 0, failures: 0, timeout: PATIENCE_MS });
  onTestFinished(() => client.end());
  const call = <T>(
    run: (done: (error: Error | undefined, result: T) => void) => void,
  ): Promise<T> =>
    new Promise((resolve, reject) => {
      run((error, result) => (error ? reject(error) : resolve(result)));
    });
  for (const [key, value] of Object.entries(RECORDS)) {
    expect(await call((done) => client.get(key, done))).toBe(value);
  }
  const hits = await call((done) => client.getMulti(['plain', 'none', 'unicode'], done));
  expect(hits).toEqual({ plain: RECORDS.plain, unicode: RECORDS.unicode });
  const withCas = await call<{ cas: string; plain: string }>((done) =>
    client.gets('plain', done as never),
  );
  expect(withCas).toEqual({ cas: '1', plain: 'value' });
  expect(await call((done) => client.get('none', done))).toBeUndefined();
  await expect(call((done) => client.set('plain', 'other', 0, done))).rejects.toThrow();
  expect(await call((done) => client.del('plain', done))).toBe(false);
  expect(await call((done) => client.incr('plain', 1, done))).toBe(false);
  expect(await call((done) => client.touch('plain', 1, done as never))).toBe(false);
  expect(await call((done) => client.get('plain', done))).toBe('value');
  const [version] = await call<unknown[]>((done) => client.version(done as never));
  expect(version).toMatchObject({ version: '1.6.18' });
  const [stats] = await call<Record<string, unknown>[]>((done) => client.stats(done as never));
  expect(stats).toMatchObject({ generation: 1, keys: Object.keys(RECORDS).length });
});

test('the client memcache reads every kind of value and survives refused writes', async () => {
  const { server } = await serve(RECORDS);
  const client = new Memcache({ nodes: [server] });
  onTestFinished(() => client.disconnect());
  for (const [key, value] of Object.entries(RECORDS)) {
    expect(await client.get(key)).toBe(value);
  }
  const hits = await client.gets(['plain', 'none', 'unicode']);
  expect([...hits]).toEqual([
    ['plain', RECORDS.plain],
    ['unicode', RECORDS.unicode],
  ]);
  expect(await client.get('none')).toBeUndefined();
  expect(await client.set('plain', 'other')).toBe(false);
  expect(await client.add('plain', 'other')).toBe(false);
  expect(await client.delete('plain')).toBe(false);
  expect(await client.touch('plain', 1)).toBe(false);
  expect(await client.incr('plain', 1)).toBeUndefined();
  expect(await client.get('plain')).toBe('value');
  expect([...(await client.version()).values()]).toEqual(['VERSION 1.6.18']);
  expect([...(await client.stats()).values()]).toMatchObject([{ generation: '1' }]);
});
