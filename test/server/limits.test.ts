import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { TURN_WORK_MAX } from '../../src/protocol/reply.ts';
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
    ['b', 'other'],
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
  test('is disconnected after the time that it may stall', async () => {
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
    await expect.poll(() => received).toBe(expected);
  });
});

test('a client that sends without a pause gives the others their turn', async () => {
  const { address } = await serve({});
  const busy = await RawClient.connect(address);
  const quietMisses = 'mg none v q\r\n'.repeat(100_000);
  // Only the last command is answered, so no reply that fills up makes the others' turn.
  expect(await busy.ask(`${quietMisses}mn\r\n`)).toBe('MN\r\n');
  busy.socket.destroy();
  const reads = quietMisses.length / (64 * 1024);
  expect(await stat(address, 'conn_yields')).toBeGreaterThan(reads / 2 - 1);
});

test('a request that costs much gives the others their turn while it is answered', async () => {
  const { address } = await serve({});
  const busy = await RawClient.connect(address);
  const keys = 200_000;
  // Its answer is a number, so no reply that fills up makes the others' turn.
  const exists = `*${keys + 1}\r\n$6\r\nEXISTS\r\n${'$1\r\na\r\n'.repeat(keys)}`;
  expect(await busy.ask(exists)).toBe(`:${keys}\r\n`);
  expect(await stat(address, 'conn_yields')).toBeGreaterThanOrEqual(keys / TURN_WORK_MAX);
});

describe('the limit on keys of a request', () => {
  const MGET = (...keys: string[]): string =>
    `*${keys.length + 1}\r\n$4\r\nMGET\r\n${keys.map((key) => `$${key.length}\r\n${key}\r\n`).join('')}`;

  test("refuses those that name more, in memcached's protocol and in Redis'", async () => {
    const { address } = await serve({ keysMax: 2 });
    const text = await RawClient.connect(address);
    const hits = 'VALUE a 0 5\r\nvalue\r\nVALUE b 0 5\r\nother\r\nEND\r\n';
    expect(await text.ask('get a b\r\n', 'END\r\n')).toBe(hits);
    const error = 'CLIENT_ERROR too many keys: at most 2 in one get, found 3\r\n';
    for (const command of ['get a b a', 'gets a none none ', 'gat 0 a b a']) {
      expect(await text.ask(`${command}\r\n`)).toBe(error);
    }
    // The connection goes on, and counts it.
    expect(await text.ask('get a b\r\n', 'END\r\n')).toBe(hits);
    expect(await stat(address, 'protocol_errors')).toBe(3);
    const redis = await RawClient.connect(address);
    expect(await redis.ask(MGET('a', 'b', 'c'))).toBe(
      '-ERR too many keys: at most 2 in one MGET, found 3\r\n',
    );
    expect(await redis.ask(MGET('a', 'b'), 'other\r\n')).toBe(
      '*2\r\n$5\r\nvalue\r\n$5\r\nother\r\n',
    );
  });
});

describe('the limit on a line', () => {
  test('is what the owner says, and never less than that of all lines', async () => {
    const { address } = await serve({ lineBytesMax: 3000 });
    const client = await RawClient.connect(address);
    expect(await client.ask(`get${' k'.repeat(1400)}\r\n`, 'END\r\n')).toBe('END\r\n');
    client.socket.write(`get${' k'.repeat(1500)}\r\n`);
    expect(await client.readToEnd()).toMatch(
      /CLIENT_ERROR line too long: at most 3000 bytes of keys in one get\r\n$/,
    );
    await expect(serve({ lineBytesMax: 2047 })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: 'limits.lineBytesMax: expected a number from 2048 on, found 2047',
    });
  });
});

test.each(['many', undefined, Number.NaN, -1])('%s is no limit', async (value) => {
  await expect(serve({ stallTimeoutMs: value as number })).rejects.toThrow(
    `limits.stallTimeoutMs: expected a number from 1 on, found ${value}`,
  );
});

describe('the limit on what one connection has buffered', () => {
  test('ends that connection, and no other', async () => {
    const { address } = await serve({ connectionBufferedBytesMax: 100_000 });
    const other = await RawClient.connect(address);
    other.socket.write(`get ${'k '.repeat(10_000)}`);
    const client = await RawClient.connect(address);
    client.socket.write(`get ${'k '.repeat(100_000)}`);
    await client.readToEnd();
    expect(await stat(address, 'buffer_kicks')).toBe(1);
    expect(await other.ask('a\r\n', 'END\r\n')).toBe('VALUE a 0 5\r\nvalue\r\nEND\r\n');
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
    expect(await stat(address, 'buffer_kicks')).toBeGreaterThan(0);
    const good = await TextClient.connect(address);
    expect((await good.get(['a']))[0].value.toString()).toBe('value');
    good.close();
  });

  test('takes those first that hold the most', async () => {
    const { address } = await serve({ bufferedBytesMax: 100_000 });
    const small = await RawClient.connect(address);
    small.socket.write('get ');
    await expect.poll(() => stat(address, 'bytes_read')).toBeGreaterThan(3);
    // Less than one read takes: so much is kept, and no more in advance.
    const large = await RawClient.connect(address);
    large.socket.write(`get ${'k '.repeat(30_000)}`);
    await expect.poll(() => stat(address, 'bytes_read')).toBeGreaterThan(60_000);
    // Not the one who asks for what there is no more of, but the one who has it.
    const next = await RawClient.connect(address);
    next.socket.write(`get ${'k '.repeat(22_000)}`);
    await large.readToEnd();
    expect(await next.ask('a\r\n', 'END\r\n')).toContain('VALUE a 0 5\r\n');
    expect(await small.ask('a\r\n', 'END\r\n')).toBe('VALUE a 0 5\r\nvalue\r\nEND\r\n');
    expect(await stat(address, 'buffer_kicks')).toBe(1);
  });
});

/** The fourth field of a line of /proc/net/tcp is the state, the sixth the timer that runs. */
const ESTABLISHED = '01';
const KEEP_ALIVE_TIMER = '02';

// A client that vanishes while it has nothing to read is found out by the system's keep-alive; one
// that vanishes before it has read all by the time that it may stall.
test.runIf(process.platform === 'linux')('the system asks whether clients are there', async () => {
  const { address } = await serve({});
  const client = await RawClient.connect(address);
  await client.ask('version\r\n');
  if (address.kind !== 'tcp') throw new Error('expected a TCP address');
  const port = (number: number): string =>
    `0100007F:${number.toString(16).toUpperCase().padStart(4, '0')}`;
  const ours = `${port(address.port)} ${port(client.socket.localPort!)} ${ESTABLISHED}`;
  const timer = (): string | undefined =>
    readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .find((line) => line.includes(ours))
      ?.trim()
      .split(/\s+/)[5]
      .slice(0, 2);
  // Until the answer is acknowledged, another timer runs.
  await expect.poll(timer).toBe(KEEP_ALIVE_TIMER);
});
