import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { readShards } from '../../src/shards/shards-file.ts';
import { type Output, run } from '../clients/harness.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePorts } from '../support/free-ports.ts';
import { PATIENCE_MS, waitFor } from '../support/patience.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The folder of a data set, and what runs a script of examples/cluster. */
function setUp() {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'bin'));
  symlinkSync(join(ROOT, 'bin/goromdb.js'), join(folder, 'bin/goromdb'));
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
  const pathOf = (name: string): string => join(ROOT, 'examples/cluster', name);
  const script = (name: string, ...args: readonly (string | number)[]): Promise<Output> =>
    run('sh', [pathOf(name), ...args.map(String)], { env, timeoutMs: PATIENCE_MS });
  return { dir: join(folder, 'data'), more: join(folder, 'more'), env, pathOf, script };
}

/** Takes a port, so that no node can have it. */
async function take(port: number): Promise<() => Promise<void>> {
  // Who asks for the state of the node must not keep it open.
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const free = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  onTestFinished(free);
  return free;
}

test('launch.sh says why a node cannot start, and ends the others', async () => {
  const { dir, script } = setUp();
  const [first, second] = await freePorts(2);
  await script('populate.sh', dir, 10, 2, first);
  await take(second);
  const { code, stderr } = await script('launch.sh', dir);
  expect(stderr).toMatch(/shard1 \(pid \d+\) has ended: goromdb: cannot listen on /);
  expect(code).toBe(1);
  const state = join(dir, 'nodes/shard0/state');
  const left = await run('node', [join(ROOT, 'bin/goromdb.js'), 'status', '-basedir', state]);
  // No server; it may have been ended before it made the folder.
  expect([1, 3]).toContain(left.code);
});

test('reshard.sh leaves all as it was when it cannot go on, and can be run again', async () => {
  const { dir, more, env, pathOf, script } = setUp();
  const [port, next] = await freePorts(2);
  await script('populate.sh', dir, 10, 1, port);
  const launched = spawn('sh', [pathOf('launch.sh'), dir], { env, stdio: 'ignore' });
  onTestFinished(() => void launched.kill('SIGTERM'));
  onTestFinished(() => script('end.sh', dir).then(() => {}));
  const status = join(dir, 'status');
  await waitFor(() => expect(readFileSync(status, 'utf8')).toMatch(/^shard0 .*generation 1,/));
  const list = join(dir, 'shards.toml');
  const before = readFileSync(list, 'utf8');

  const twice = await script('reshard.sh', dir, dir, more, port);
  expect(twice.stderr).toMatch(/shards\.toml\.new:\d+: .* is there twice/);
  expect([twice.code, readFileSync(list, 'utf8')]).toEqual([2, before]);
  expect(existsSync(`${list}.new`)).toBe(false);

  const free = await take(next);
  const taken = await script('reshard.sh', dir, dir, more, next);
  expect(taken.stderr).toMatch(/shard1 \(pid \d+\) has ended: goromdb: cannot listen on /);
  expect([taken.code, readFileSync(list, 'utf8')]).toEqual([1, before]);
  await free();

  // A run that was killed has left the new list.
  const { stdout } = await script('shards-file.sh', 2, port);
  writeFileSync(list, stdout);
  const done = await script('reshard.sh', dir, dir, more, next);
  expect([done.stderr, done.code]).toEqual(['', 0]);
  expect(readShards(list).shards.map(({ name }) => name)).toEqual(['shard0', 'shard1']);

  const again = await script('reshard.sh', dir, dir, more, next);
  expect(again.stderr).toMatch(/expected no node beyond the 1 shards of .*, found shard1/);
  expect(again.code).toBe(1);
});

test('reshard.sh gives up at once when a node of before is down, and wholly at a signal that comes again', async () => {
  const { dir, more, env, pathOf, script } = setUp();
  const [port, next] = await freePorts(2);
  await script('populate.sh', dir, 10, 1, port);
  const list = join(dir, 'shards.toml');
  const before = readFileSync(list, 'utf8');
  const down = await script('reshard.sh', dir, dir, more, next);
  expect(down.stderr).toMatch(/^shard0 .*nothing listens there/);
  expect(down.stderr).toMatch(/expected all nodes to serve .*; nothing was changed\n$/);
  expect([down.code, existsSync(more)]).toEqual([1, false]);

  const launched = spawn('sh', [pathOf('launch.sh'), dir], { env, stdio: 'ignore' });
  const hasEnded = once(launched, 'exit');
  onTestFinished(async () => {
    launched.kill('SIGTERM');
    await hasEnded;
  });
  const status = join(dir, 'status');
  await waitFor(() => expect(readFileSync(status, 'utf8')).toMatch(/^shard0 .*generation 1,/));
  const args = [pathOf('reshard.sh'), dir, dir, more, String(next)];
  const reshard = spawn('sh', args, { env, stdio: 'ignore' });
  const log = join(dir, 'nodes/shard1/log');
  await waitFor(() => expect(readFileSync(log, 'utf8')).toMatch(/ starts, pid \d+/));
  const pid = Number(/pid (\d+)/.exec(readFileSync(log, 'utf8'))?.[1]);
  const signals = setInterval(() => reshard.kill('SIGTERM'), 1);
  const [code] = await once(reshard, 'exit');
  clearInterval(signals);
  expect([code, readFileSync(list, 'utf8')]).toEqual([1, before]);
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});
