import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { ClientLog, type ClientReport, describeReport } from '../../src/server/client-log.ts';
import { type CreateServerOptions, createServer } from '../../src/server/create-server.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { RawClient } from '../support/raw-client.ts';
import { tableOf } from '../support/storages.ts';

async function serve(options: CreateServerOptions = {}): Promise<Address> {
  const server = createServer({ storage: tableOf([['a', 'value']]), ...options });
  onTestFinished(() => server.close(0));
  return server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
}

describe('what an owner learns of clients that write', () => {
  test('is one line for an address, whatever it writes and in which protocol', async () => {
    const logger = collectingLogger();
    const address = await serve({ logger });
    const text = await RawClient.connect(address);
    expect(await text.ask('set a 0 0 1\r\nx\r\n')).toBe('NOT_STORED\r\n');
    expect(await text.ask('delete a\r\n')).toBe('NOT_FOUND\r\n');
    const redis = await RawClient.connect(address);
    expect(await redis.ask('*2\r\n$3\r\nDEL\r\n$1\r\na\r\n')).toMatch(/^-READONLY/);
    expect(logger.lines).toEqual([
      'warn refused a write (set) from 127.0.0.1: this server is read-only; other writes from ' +
        'there are counted in stats and not logged for a minute',
    ]);
    const stats = await text.ask('stats\r\n', 'END\r\n');
    expect(stats).toContain('STAT refused_set 1\r\n');
    expect(stats).toContain('STAT refused_delete 2\r\n');
  });

  test('never comes from a UNIX socket by TCP, also when the client has reset the connection', async () => {
    const logger = collectingLogger();
    const address = await serve({ logger });
    const client = await RawClient.connect(address);
    const write = 'set a 0 0 1\r\nx\r\n';
    client.socket.write(write.repeat(2_000), () => client.socket.resetAndDestroy());
    await expect.poll(() => logger.lines.length).toBeGreaterThan(0);
    expect(logger.lines.join()).not.toContain('UNIX');
  });

  test('is another line after a minute, for another address, and of another kind', () => {
    const told: ClientReport[] = [];
    const log = new ClientLog((report) => told.push(report));
    const write = { kind: 'refused write', client: '10.0.0.1', command: 'set' } as const;
    const login = { kind: 'failed login', client: '10.0.0.1' } as const;
    const other = { ...write, client: '10.0.0.2', command: 'incr' };
    for (const nowMs of [0, 1, 59_999, 60_000, 60_001]) log.report(write, nowMs);
    log.report(other, 60_002);
    for (const nowMs of [60_003, 60_004]) log.report(login, nowMs);
    expect(told).toEqual([write, write, other, login]);
    expect(describeReport(login)).toBe(
      'a login failed from 10.0.0.1: no such name and password; others from there are counted in ' +
        'stats and not logged for a minute',
    );
  });

  test('is reported to the client too when the owner wants it so', async () => {
    const client = await RawClient.connect(await serve({ loudRefusals: true }));
    expect(await client.ask('set a 0 0 1\r\nx\r\n')).toBe('CLIENT_ERROR read-only\r\n');
  });
});

describe('the command shutdown', () => {
  test('is not enabled by default', async () => {
    const client = await RawClient.connect(await serve());
    expect(await client.ask('shutdown\r\n')).toBe('ERROR: shutdown not enabled\r\n');
  });

  test('does what the owner has it do', async () => {
    const shutdown = vi.fn();
    const client = await RawClient.connect(await serve({ shutdown }));
    client.socket.write('shutdown\r\n');
    await expect.poll(() => shutdown.mock.calls.length).toBe(1);
  });
});

test('stats reset begins the counts anew, but not that of open connections', async () => {
  const client = await RawClient.connect(await serve());
  await client.ask('get a none\r\n', 'END\r\n');
  expect(await client.ask('stats\r\n', 'END\r\n')).toContain('STAT get_hits 1\r\n');
  expect(await client.ask('stats reset\r\n')).toBe('RESET\r\n');
  const stats = await client.ask('stats\r\n', 'END\r\n');
  expect(stats).toContain('STAT get_hits 0\r\n');
  expect(stats).toContain('STAT curr_connections 1\r\n');
});

test('stats conns names each connection', async () => {
  const address = await serve();
  const one = await RawClient.connect(address);
  const other = await RawClient.connect(address);
  await other.ask('version\r\n');
  const stats = await one.ask('stats conns\r\n', 'END\r\n');
  for (const { socket } of [one, other]) {
    expect(stats).toContain(`:addr tcp:127.0.0.1:${socket.localPort}\r\n`);
  }
});

test('a client that goes on asking is never idle, however short the time', async () => {
  const address = await serve({ limits: { idleTimeoutMs: 900 } });
  const client = await RawClient.connect(address);
  const idle = await RawClient.connect(address);
  // The other one, idle all the time, shows that the time is over.
  while (!idle.socket.destroyed) await client.ask('version\r\n');
  expect(await client.ask('version\r\n')).toMatch(/^VERSION/);
});
