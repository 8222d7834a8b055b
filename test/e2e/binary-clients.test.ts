import { MemcacheClient } from 'memcache-client';
import { Client } from 'memjs';
import { expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../../src/common/address.ts';
import { detectingProtocol } from '../../src/protocol/detect/detect.ts';
import { createServer } from '../../src/server/create-server.ts';
import { tableOf } from '../support/storages.ts';

const RECORDS: Readonly<Record<string, Buffer>> = {
  plain: Buffer.from('value'),
  empty: Buffer.alloc(0),
  unicode: Buffer.from('Grüße, 世界'),
  'key with spaces': Buffer.from('\r\nEND\r\n'),
  large: Buffer.alloc(3_000_000, 'x'),
};

async function serve(loudRefusals = false): Promise<string> {
  const storage = tableOf(Object.entries(RECORDS));
  const server = createServer({ storage, protocol: detectingProtocol, loudRefusals });
  onTestFinished(() => server.close());
  const address = await server.listen(parseAddress('127.0.0.1:0'));
  if (address.kind !== 'tcp') throw new Error('expected a TCP address');
  return `127.0.0.1:${address.port}`;
}

/** A client that asks once: an answer that it takes badly, or none, ends the test. */
function connect(server: string): Client {
  const client = Client.create(server, {
    retries: 0,
    timeout: 5,
    logger: { log: () => {} },
  });
  onTestFinished(() => client.close());
  return client;
}

function statsOf(client: Client, group: string): Promise<Record<string, string> | null> {
  return new Promise((resolve, reject) => {
    client.statsWithKey(group, (error, _, stats) => (error ? reject(error) : resolve(stats)));
  });
}

test('the client memjs reads every kind of value', async () => {
  const client = connect(await serve());
  for (const [key, value] of Object.entries(RECORDS)) {
    const hit = await client.get(key);
    expect(hit.value?.equals(value)).toBe(true);
    expect(hit.flags).toEqual(Buffer.alloc(4));
  }
  expect(await client.get('none')).toEqual({ value: null, flags: null });
  const keys = Array.from({ length: 500 }, (_, at) => (at % 3 === 0 ? 'none' : 'plain'));
  const values = await Promise.all(keys.map((key) => client.get(key)));
  expect(values.map(({ value }) => value?.toString() ?? 'none')).toEqual(
    keys.map((key) => (key === 'plain' ? 'value' : 'none')),
  );
  expect(await statsOf(client, '')).toMatchObject({ curr_items: '5', total_connections: '1' });
  expect(await statsOf(client, 'reset')).toEqual({});
  client.quit();
});

test('the client memjs survives refused writes on one connection', async () => {
  const server = await serve();
  const client = connect(server);
  await expect(client.set('plain', 'other')).rejects.toThrow('Item not stored');
  await expect(client.add('new', 'other')).rejects.toThrow('Item not stored');
  await expect(client.replace('plain', 'x'.repeat(3_000_000))).rejects.toThrow('Item not stored');
  await expect(client.append('plain', 'other')).rejects.toThrow('Item not stored');
  await expect(client.prepend('plain', 'other')).rejects.toThrow('Item not stored');
  await expect(client.increment('plain', 1, {})).rejects.toThrow('Key not found');
  await expect(client.decrement('plain', 1, {})).rejects.toThrow('Key not found');
  expect(await client.delete('plain')).toBe(false);
  expect(await client.touch('plain', 1)).toBe(false);
  // memjs takes any answer to a flush for success, unless it is an authentication error.
  expect(await client.flush()).toEqual({ [server]: true });
  expect((await client.get('plain')).value?.toString()).toBe('value');
  expect(await statsOf(client, '')).toMatchObject({
    total_connections: '1',
    protocol_errors: '0',
    cmd_set: '5',
    cmd_flush: '1',
  });
});

test('clients of the text protocol and of the binary one share a port', async () => {
  const server = await serve();
  const binary = connect(server);
  const text = new MemcacheClient({ server });
  onTestFinished(() => text.shutdown());
  expect((await binary.get('plain')).value?.toString()).toBe('value');
  expect((await text.get<string>('plain')).value).toBe('value');
  expect((await binary.get('unicode')).value?.toString()).toBe((await text.get('unicode'))?.value);
});

test('the client memjs gets loud refusals as errors, and reads on', async () => {
  const client = connect(await serve(true));
  const writes = [
    client.set('plain', 'x'),
    client.add('plain', 'x'),
    client.replace('plain', 'x'),
    client.append('plain', 'x'),
    client.delete('plain'),
    client.increment('plain', 1, {}),
    client.touch('plain', 1),
  ];
  for (const write of writes) await expect(write).rejects.toThrow('Not supported');
  expect((await client.get('plain')).value?.toString()).toBe('value');
  expect(await statsOf(client, '')).toMatchObject({ total_connections: '1' });
});
