import { expect, test } from 'vitest';
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

test('redis-cli --pipe sees that each of its writes was refused', async () => {
  const served = await serve();
  const args = ['-p', `${served.port}`, '--pipe'];
  const input = '*3\r\n$3\r\nSET\r\n$5\r\nplain\r\n$5\r\nother\r\n'.repeat(1000);
  const { stdout, stderr } = await run('redis-cli', args, { input });
  expect(stdout).toContain('errors: 1000, replies: 1000');
  expect(stderr).toContain(REFUSED);
  expect(await cli(served, 'GET', 'plain')).toBe('value\n');
});
