import { expect, test } from 'vitest';
import {
  ITEMS,
  type Output,
  PROTOCOL_VERSION,
  RECORDS,
  requirePackages,
  run,
  Served,
} from './harness.ts';

const FORMS: readonly (readonly [protocol: string, ...flags: string[]])[] = [
  ['text'],
  ['binary', '--binary'],
];

function tool(served: Served, name: string, ...args: string[]): Promise<Output> {
  return run(name, [`--servers=127.0.0.1:${served.port}`, ...args]);
}

/** What a tool prints in both of the protocols. */
test.each(FORMS)('the tools of libmemcached read (%s)', async (_, ...flags) => {
  requirePackages('libmemcached-tools');
  const served = await Served.start();
  const cat = await tool(served, 'memccat', ...flags, 'plain', 'empty', 'unicode');
  expect(cat).toMatchObject({ code: 0, stdout: `value\n\n${RECORDS.unicode}\n` });
  const large = await tool(served, 'memccat', ...flags, 'large');
  expect(large.stdout === `${RECORDS.large}\n`).toBe(true);
  const miss = await tool(served, 'memccat', ...flags, 'none', 'plain');
  expect(miss).toMatchObject({ code: 1, stdout: 'value\n' });
  const stats = await tool(served, 'memcstat', ...flags);
  expect(stats.code).toBe(0);
  expect(stats.stdout).toContain(`version: ${PROTOCOL_VERSION}\n`);
  expect(stats.stdout).toContain(`curr_items: ${ITEMS}\n`);
  expect(await served.connectionsMade()).toBe(4);
});

test('memcping and memcstat take the server for a memcached', async () => {
  requirePackages('libmemcached-tools');
  const served = await Served.start();
  expect(await tool(served, 'memcping')).toEqual({ code: 0, stdout: '', stderr: '' });
  // This one it prints as an error.
  const version = await tool(served, 'memcstat', '-S');
  expect(version.stderr).toBe(`127.0.0.1:${served.port} ${PROTOCOL_VERSION}\n`);
  const analysis = await tool(served, 'memcstat', '-a');
  expect(analysis).toMatchObject({ code: 0, stderr: '' });
  expect(analysis.stdout).toContain('Number of Servers Analyzed         : 1\n');
});

/**
 * libmemcached asks by an `add` of nothing that has already expired: "not stored" tells it that the
 * key is there, "stored" that it is not. In the binary protocol it takes any refusal as an error.
 */
test('memcexist distinguishes a key that is there from one that is not', async () => {
  requirePackages('libmemcached-tools');
  const served = await Served.start();
  expect(await tool(served, 'memcexist', 'plain')).toMatchObject({ code: 0 });
  expect(await tool(served, 'memcexist', 'none')).toMatchObject({ code: 1 });
});

test.each(FORMS)(
  'the tools of libmemcached that write change nothing (%s)',
  async (_, ...flags) => {
    requirePackages('libmemcached-tools');
    const served = await Served.start();
    expect(await tool(served, 'memcrm', ...flags, 'plain')).toMatchObject({ code: 1 });
    expect(await tool(served, 'memctouch', ...flags, 'plain')).toMatchObject({ code: 1 });
    const flushed = await tool(served, 'memcflush', ...flags);
    // In the binary protocol the library takes any answer to a flush for success.
    expect(flushed.code).toBe(flags.length === 0 ? 1 : 0);
    const cat = await tool(served, 'memccat', ...flags, 'plain');
    expect(cat).toMatchObject({ code: 0, stdout: 'value\n' });
  },
);

/**
 * memccapable puts in what it then reads, so with a server that only reads most of its tests cannot
 * pass. These do: they only read, or wait for no answer.
 */
test.each([
  ['text', '-a', ['version', 'quit', 'verbosity', 'set noreply', 'add noreply', 'stat'], 27],
  ['binary', '-b', ['noop', 'quit', 'quitq', 'incrq', 'decrq', 'version', 'stat'], 27],
] as const)(
  'memccapable passes what it tests without writing (%s)',
  async (_, flag, passes, total) => {
    requirePackages('libmemcached-tools');
    const served = await Served.start();
    // Names and outcomes go to two streams; only unbuffered do they stay together.
    const command = `exec stdbuf -o0 memccapable -h 127.0.0.1 -p ${served.port} -t 5 ${flag} 2>&1`;
    const { stdout } = await run('sh', ['-c', command]);
    const passed = stdout.matchAll(/^(?:ascii|binary) (\S+(?: \S+)?) +\[pass\]$/gm);
    expect([...passed].map(([, name]) => name)).toEqual(passes);
    expect(stdout).toContain(`${total - passes.length} of ${total} tests failed`);
    // The connections that it gave up in the middle of a test.
    await served.connectionsMade();
  },
);
