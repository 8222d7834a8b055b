import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { GoromdbProcess } from '../support/goromdb-process.ts';

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

test('goromdb once up leaves no process behind when it is killed', async () => {
  const program = new GoromdbProcess(['once', 'up', '-http', '127.0.0.1:0']);
  await program.says(/Ctrl-C ends all/);
  const pids = [...program.stdout.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
  expect(pids.length).toBe(6);
  await program.kill('SIGKILL');
  for (const pid of pids) await expect.poll(() => isRunning(pid)).toBe(false);
});

/** A zombie, which nobody has waited for so far, has ended. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
