import { describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/server/address.ts';
import { createServer } from '../../src/server/create-server.ts';
import type { Limits } from '../../src/server/limits.ts';
import type { Server } from '../../src/server/server.ts';
import { RawClient } from '../support/raw-client.ts';
import { tableOf } from '../support/storages.ts';
import { TextClient } from '../support/text-client.ts';

const LARGE_BYTES = 30_000_000;

async function serve(limits: Partial<Limits>): Promise<{ server: Server; address: Address }> {
  const storage = tableOf([
    ['a', 'value'],
    ['large', 'x'.repeat(LARGE_BYTES)],
  ]);
  const server = createServer({ storage, limits });
  onTestFinished(() => server.close(0));
  return { server, address: await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }) };
}

async function stat(address: Address, name: string): Promise<number> {
  const client = await TextClient.connect(address);
  const stats = await client.stats();
  client.close();
  return Number(stats[name]);
}

describe('the limit on connections', () => {
  test('answers one too many with an error line, and counts it', async () => {
    const { address } = await serve({ connectionsMax: 2 });
    const first = await RawClient.connect(address);
    const second = await RawClient.connect(address);
    await first.ask('version\r\n');
    await second.ask('version\r\n');
    const third = await RawClient.connect(address);
    expect(await third.readToEnd()).toBe('ERROR Too many open connections\r\n');
    first.socket.destroy();
    // The place is free when the server has seen the end of the first.
    await expect
      .poll(async () => {
        const next = await RawClient.connect(address);
        return next.ask('version\r\n').catch(() => '');
      })
      .toMatch(/^VERSION/);
    second.socket.destroy();
    await expect
      .poll(() => stat(address, 'rejected_connections').catch(() => 0))
      .toBeGreaterThan(0);
  });
});

describe('the limit on idle time', () => {
  test('closes who asks for nothing, and nobody else', async () => {
    const { address } = await serve({ idleTimeoutMs: 1 });
    const idle = await RawClient.connect(address);
    expect(await idle.readToEnd()).toBe('');
  });

  test('is off by default', async () => {
    const { address } = await serve({});
    const idle = await RawClient.connect(address);
    const other = await serve({ idleTimeoutMs: 1 });
    await (await RawClient.connect(other.address)).readToEnd();
    expect(await idle.ask('version\r\n')).toMatch(/^VERSION/);
  });
});

describe('a client that does not read its replies', () => {
  test('is cut off after the time that it may stall', async () => {
    const { address } = await serve({ stallTimeoutMs: 50 });
    const client = await RawClient.connect(address);
    client.socket.pause();
    client.socket.write('get large\r\n'.repeat(20));
    await expect.poll(() => stat(address, 'curr_connections')).toBe(1);
  });

  test('may read as slowly as it likes while it reads', async () => {
    const { address } = await serve({ stallTimeoutMs: 300 });
    const client = await RawClient.connect(address);
    let received = 0;
    client.socket.on('data', (text: string) => {
      received += text.length;
      client.socket.pause();
      setTimeout(() => client.socket.resume(), 1);
    });
    client.socket.write('get large\r\n');
    const expected = 'VALUE large 0 30000000\r\n'.length + LARGE_BYTES + '\r\nEND\r\n'.length;
    await expect.poll(() => received, { timeout: 25_000 }).toBe(expected);
  });
});

describe('the limit on what is buffered', () => {
  test('ends the connection that goes beyond it, and frees what ended ones held', async () => {
    const { address } = await serve({ bufferedBytesMax: 500_000 });
    const line = `get ${'k'.repeat(249)} `.repeat(1000).replaceAll('get ', '').slice(0, 200_000);
    const hold = async (): Promise<RawClient> => {
      const client = await RawClient.connect(address);
      client.socket.write(`get ${line}`);
      return client;
    };
    for (let round = 0; round < 3; round++) {
      const clients = await Promise.all([hold(), hold(), hold(), hold()]);
      // Four lines of 200 kB do not fit; those that are cut off leave room for the others.
      await expect
        .poll(() => clients.filter((one) => one.socket.destroyed).length)
        .toBeGreaterThan(0);
      for (const { socket } of clients) socket.destroy();
      await expect.poll(() => stat(address, 'curr_connections')).toBe(1);
    }
    const good = await TextClient.connect(address);
    expect((await good.get(['a']))[0].value.toString()).toBe('value');
    good.close();
  });
});
