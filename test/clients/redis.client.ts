import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/free-ports.ts';
import { waitFor } from '../support/patience.ts';
import { ITEMS, MANY, MANY_KEYS, RECORDS, requirePackages, run, Served } from './harness.ts';

const REFUSED = "READONLY You can't write against a read only replica.";

/** Runs redis-cli once, with these arguments. */
async function cli(served: Served, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr, code } = await run('redis-cli', ['-p', `${served.port}`, ...args]);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return stdout;
}

/** Types these commands into one redis-cli, and returns the lines that it prints. */
async function type(served: Served, flag: string, commands: readonly string[]): Promise<string[]> {
  const args = ['-p', `${served.port}`, '--no-raw', flag];
  const { stdout } = await run('redis-cli', args, { input: `${commands.join('\n')}\n` });
  return stdout.trimEnd().split('\n');
}

async function serve(): Promise<Served> {
  requirePackages('redis-tools');
  return Served.start();
}

// RESP2 and RESP3.
test.each(['-2', '-3'])('redis-cli reads every kind of value (%s)', async (flag) => {
  const served = await serve();
  for (const [key, value] of Object.entries(RECORDS)) {
    const { stdout } = await run('redis-cli', ['-p', `${served.port}`, flag, 'get', key], {
      encoding: 'latin1',
    });
    // To a pipe it prints the bytes as they are, and a line end.
    expect(stdout === `${value.toString('latin1')}\n`, key).toBe(true);
  }
  const many = await cli(served, flag, 'mget', ...MANY_KEYS);
  expect(many).toBe(`${MANY_KEYS.map((key) => MANY[key] ?? '').join('\n')}\n`);
  expect(await served.connectionsMade()).toBe(Object.keys(RECORDS).length + 1);
});

test.each(['-2', '-3'])('redis-cli asks everything on one connection (%s)', async (flag) => {
  const served = await serve();
  const commands = [
    'PING',
    'ECHO hello',
    'GET none',
    'EXISTS plain none plain',
    'STRLEN large',
    'TYPE plain',
    'TYPE none',
    'DBSIZE',
    'SELECT 0',
    'MGET plain none empty',
    'GET plain',
  ];
  expect(await type(served, flag, commands)).toEqual([
    'PONG',
    '"hello"',
    '(nil)',
    '(integer) 2',
    `(integer) ${RECORDS.large.length}`,
    'string',
    'none',
    `(integer) ${ITEMS}`,
    'OK',
    '1) "value"',
    '2) (nil)',
    '3) ""',
    '"value"',
  ]);
  expect(await served.connectionsMade()).toBe(1);
});

test('redis-cli is refused every write and goes on reading on the same connection', async () => {
  const served = await serve();
  const writes = [
    'SET plain other',
    'SET plain other NX',
    'SETNX plain other',
    'SETEX plain 60 other',
    'GETSET plain other',
    'GETDEL plain',
    'GETEX plain EX 60',
    'APPEND plain other',
    'SETRANGE plain 1 other',
    'MSET plain other new other',
    'MSETNX plain other new other',
    'INCR plain',
    'INCRBY plain 2',
    'INCRBYFLOAT plain 1.5',
    'DECR plain',
    'DECRBY plain 2',
    'DEL plain none',
    'UNLINK plain',
    'EXPIRE plain 60',
    'PERSIST plain',
    'RENAME plain other',
    'FLUSHDB',
    'FLUSHALL',
  ];
  const lines = await type(
    served,
    '-2',
    writes.flatMap((write) => [write, 'GET plain']),
  );
  expect(lines).toEqual(writes.flatMap(() => [`(error) ${REFUSED}`, '"value"']));
  expect(await served.connectionsMade()).toBe(1);
});

test('redis-cli lists the keys and finds its way in the statistics', async () => {
  const served = await serve();
  const keys = [...Object.keys(RECORDS), ...Object.keys(MANY)].sort();
  expect((await cli(served, '--scan')).trimEnd().split('\n').sort()).toEqual(keys);
  const some = await cli(served, '--scan', '--pattern', 'k1?');
  expect(some.trimEnd().split('\n').sort()).toEqual(keys.filter((key) => /^k1.$/.test(key)));
  const info = await cli(served, 'INFO');
  expect(info).toMatch(/^redis_version:\d+\.\d+\.\d+\r$/m);
  expect(info).toContain(`keys=${ITEMS},`);
  expect(await cli(served, '--bigkeys')).toContain(`Sampled ${ITEMS} keys in the keyspace!`);
});

test('redis-cli --stat shows keys, memory, clients and requests', async () => {
  const served = await serve();
  for (let i = 0; i < 3; i++) await cli(served, 'GET', 'plain');
  // It goes on until it is ended, and prints a line a second.
  const child = spawn('stdbuf', [
    '-oL',
    'redis-cli',
    '-p',
    `${served.port}`,
    '--stat',
    '-i',
    '0.1',
  ]);
  onTestFinished(() => void child.kill());
  const lines: (readonly string[])[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (/^\d/.test(line)) lines.push(line.split(/\s+/));
    if (lines.length === 3) break;
  }
  // keys, mem, clients, blocked, requests and how many more than in the line before, connections.
  const [keys, memory, clients, blocked, requests, more] = lines[2];
  expect([keys, blocked]).toEqual([`${ITEMS}`, '0']);
  expect(memory).toMatch(/^\d+(\.\d+)?[MG]$/);
  // Itself, and the watcher of the test.
  expect(Number(clients)).toBe(2);
  expect(Number(requests)).toBeGreaterThanOrEqual(6);
  expect(more).toBe('(+1)');
});

test("prometheus-redis-exporter scrapes the server's numbers without an error", async () => {
  requirePackages('prometheus-redis-exporter');
  const served = await serve();
  for (const key of ['plain', 'empty', 'none']) await cli(served, 'GET', key);
  const port = await freePort();
  const exporter = spawn('prometheus-redis-exporter', [
    ...['-redis.addr', `redis://127.0.0.1:${served.port}`],
    ...['-web.listen-address', `127.0.0.1:${port}`],
    ...['-export-client-list', '-check-single-keys', 'plain', '-count-keys', 'db0=k*'],
  ]);
  onTestFinished(() => void exporter.kill());
  let log = '';
  exporter.stderr.on('data', (text) => {
    log += text;
  });
  const scrape = (): Promise<string> =>
    fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text());
  const text = await waitFor(scrape);
  const metric = (name: string): string | undefined =>
    text.split('\n').find((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  const number = (name: string): number => Number(metric(name)?.split(' ').pop());
  expect({
    up: number('redis_up'),
    error: metric('redis_exporter_last_scrape_error'),
    keys: number('redis_db_keys'),
    counted: number('redis_keys_count'),
    value: number('redis_key_size{db="db0",key="plain"}'),
    clients: number('redis_connected_clients'),
    limit: number('redis_config_maxclients'),
    hits: number('redis_keyspace_hits_total'),
    misses: number('redis_keyspace_misses_total'),
  }).toEqual({
    up: 1,
    error: 'redis_exporter_last_scrape_error{err=""} 0',
    keys: ITEMS,
    counted: Object.keys(MANY).length,
    value: RECORDS.plain.length,
    clients: 2,
    limit: 10_000,
    hits: expect.any(Number),
    misses: expect.any(Number),
  });
  expect(number('redis_keyspace_hits_total')).toBeGreaterThanOrEqual(2);
  expect(number('redis_keyspace_misses_total')).toBeGreaterThanOrEqual(1);
  expect(number('redis_commands_processed_total')).toBeGreaterThan(3);
  expect(number('redis_connections_received_total')).toBeGreaterThanOrEqual(4);
  expect(number('redis_memory_used_bytes')).toBeGreaterThan(1_000_000);
  expect(metric('redis_connected_clients_details')).toContain('name="redis_exporter"');
  expect(log).not.toMatch(/level=(error|warn)/i);
});

test('redis-cli --pipe sees that each of its writes was refused', async () => {
  const served = await serve();
  const args = ['-p', `${served.port}`, '--pipe'];
  const input = '*3\r\n$3\r\nSET\r\n$5\r\nplain\r\n$5\r\nother\r\n'.repeat(1000);
  const { stdout, stderr } = await run('redis-cli', args, { input });
  expect(stdout).toContain('errors: 1000, replies: 1000');
  expect(stderr).toContain(REFUSED);
  expect(await cli(served, 'GET', 'plain')).toBe('value\n');
});
