import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseAddress } from '../../src/common/address.ts';
import type { Figures } from '../../src/once/overview.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { secretFile } from '../support/once-node.ts';
import { RawClient } from '../support/raw-client.ts';

const BIN = fileURLToPath(new URL('../../bin/goromdb.js', import.meta.url));

/** Members of etcd that find no leader before the test is over, so that a trial goes on starting. */
const LEADERLESS = {
  ...{ ETCD_ELECTION_TIMEOUT: '50000', ETCD_INITIAL_ELECTION_TICK_ADVANCE: 'false' },
};

/** Types what the program says to type. */
async function walk(program: GoromdbProcess): Promise<readonly [number, string]> {
  const [, url] = await program.says(/curl (\S+)\/key\/foo/);
  const body = '{"key":"foo","value":"bar"}';
  const { status } = await fetch(`${url}/key`, { method: 'POST', body });
  return [status, await (await fetch(`${url}/key/foo`)).text()];
}

test('goromdb once -dev does what it says to type', async () => {
  const program = new GoromdbProcess(['once', '-dev', '-http', '127.0.0.1:0']);
  expect(await walk(program)).toEqual([201, 'bar']);
  expect(await program.kill('SIGINT')).toBe(0);
});

test('goromdb once up serves the same keys by each node, and ends all by a signal', async () => {
  const program = new GoromdbProcess(['once', 'up', '-http', '127.0.0.1:0']);
  expect(await walk(program)).toEqual([201, 'bar']);
  const urls = [...program.stdout.matchAll(/node \d: pid \d+, (\S+)/g)].map(([, url]) => url);
  for (const url of urls) expect(await (await fetch(`${url}/key/foo`)).text()).toBe('bar');
  expect(urls.length).toBe(3);
  const pids = [...program.stdout.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
  expect(await program.kill('SIGTERM')).toBe(0);
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
});

test('goromdb once up has its nodes heed the flags that it was given', async () => {
  const flags = ['-warm', '-auth-file', secretFile('ann:secret\n'), '-addr', '127.0.0.1:0'];
  const program = new GoromdbProcess([
    'once',
    'up',
    '-nodes',
    '2',
    '-http',
    '127.0.0.1:0',
    ...flags,
  ]);
  await program.says(/Ctrl-C ends all/);
  const nodes = [...program.stdout.matchAll(/node \d: .*, (\S+), memcached and Redis (\S+)/g)];
  const [[, first], [, second, wire]] = nodes;
  const create = async (headers = {}): Promise<number> => {
    const body = '{"key":"foo","value":"bar"}';
    return (await fetch(`${first}/key`, { method: 'POST', body, headers })).status;
  };
  const authorization = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
  expect([await create(), await create({ authorization })]).toEqual([401, 201]);
  const warmed = async () => ((await (await fetch(`${second}/status`)).json()) as Figures).warmed;
  await expect.poll(warmed).toBe(1);
  const client = await RawClient.connect(parseAddress(wire));
  client.socket.end('set x 0 0 10\r\nann secret\r\nget foo\r\n');
  expect(await client.readToEnd()).toBe('STORED\r\nVALUE foo 0 3\r\nbar\r\nEND\r\n');
  expect(await program.kill('SIGTERM')).toBe(0);
});

test('goromdb once up leaves no process behind when it is killed', async () => {
  const program = new GoromdbProcess(['once', 'up', '-http', '127.0.0.1:0']);
  await program.says(/Ctrl-C ends all/);
  const pids = [...program.stdout.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
  expect(pids.length).toBe(6);
  await program.kill('SIGKILL');
  for (const pid of pids) await expect.poll(() => isRunning(pid)).toBe(false);
});

test.each([['-dev'], ['up']])('goromdb once %s ends by Ctrl-C while it starts', async (mode) => {
  const TMPDIR = temporaryFolder();
  const args = [BIN, 'once', mode, '-http', '127.0.0.1:0'];
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  // A terminal tells all processes of a group.
  const program = spawn(process.execPath, args, {
    ...{ detached: true, stdio: [...stdio], env: { ...process.env, ...LEADERLESS, TMPDIR } },
  });
  const ended = once(program, 'close');
  let said = '';
  for (const output of [program.stdout, program.stderr]) {
    output?.on('data', (text) => {
      said += text;
    });
  }
  // A member of etcd has made its folder.
  await expect.poll(() => readdirSync(TMPDIR, { recursive: true }).length).toBeGreaterThan(1);
  process.kill(-program.pid!, 'SIGINT');
  expect([await ended, said]).toEqual([[0, null], '']);
  expect(readdirSync(TMPDIR)).toEqual([]);
});

/** A zombie, which nobody has waited for so far, has ended. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
