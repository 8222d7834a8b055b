/** What systemd is told, by its own programs, and what it passes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { expect, it, onTestFinished, vi } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { RawClient } from '../support/raw-client.ts';
import { Upgradable } from '../support/upgradable.ts';
import { ROOT } from './program.ts';

/** Runs a program until the test is over. @returns What it has said so far. */
function start(program: string, args: readonly string[]): () => string {
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  return () => said;
}

it('systemd is notified of each state, and of the process that takes over', async () => {
  const socket = join(temporaryFolder(), 'notify');
  const said = start('python3', [join(ROOT, 'test/deploy/notify-listener.py'), socket]);
  await expect.poll(said).toBe('listens\n');
  vi.stubEnv('NOTIFY_SOCKET', socket);
  vi.stubEnv('WATCHDOG_USEC', '400000');
  onTestFinished(() => void vi.unstubAllEnvs());
  const server = new Upgradable();
  await expect.poll(said).toMatch(/\nREADY=1 STATUS=serves on 127\.0\.0\.1:\d+ /);
  await expect.poll(said).toMatch(/(?:\nWATCHDOG=1){2}\n/);
  await server.load(1);
  await expect.poll(said).toMatch(/STATUS=.*generation 1 /);
  server.old.child.kill('SIGHUP');
  // Where sending takes long, a word of the watchdog is on the same line.
  await expect.poll(said).toMatch(/\bRELOADING=1 MONOTONIC_USEC=\d+\b.*\n(?:.*\n)*.*\bREADY=1\b/);

  expect(await server.upgrade()).toMatchObject({ code: 0 });
  const [old, next] = server.pids;
  // Before the old one ends: its end would be that of the service.
  await expect.poll(said).toMatch(new RegExp(` MAINPID=${next}\\b`));
  await server.hasEnded(old);
  expect(said()).not.toContain('STOPPING=1');
  const before = said().length;
  await expect.poll(() => said().slice(before)).toContain('WATCHDOG=1\n');
  process.kill(next, 'SIGTERM');
  await expect.poll(said).toMatch(/\bSTOPPING=1\b/);
});

it('a new process that cannot notify systemd does not take over', async () => {
  const socket = join(temporaryFolder(), 'notify');
  vi.stubEnv('NOTIFY_SOCKET', socket);
  onTestFinished(() => void vi.unstubAllEnvs());
  const server = new Upgradable();
  await server.says(/systemd cannot be notified/);
  const { code, stderr } = await server.upgrade();
  expect(stderr).toMatch(/systemd could not be notified of the new process; pid \d+ keeps serving/);
  expect(code).toBe(1);
  await server.load(1);
});

it('a socket of systemd-socket-activate is served', async () => {
  const path = join(temporaryFolder(), 's');
  const program = [process.execPath, join(ROOT, 'bin/goromdb.js')];
  const file = join(temporaryFolder(), 'd.json');
  const said = start('systemd-socket-activate', ['-l', path, ...program, '-file', file]);
  await expect.poll(said).toContain('Listening on');
  const client = await RawClient.connect({ kind: 'unix', path });
  expect(await client.ask('get a\r\n', 'END\r\n')).toBe('END\r\n');
  await expect.poll(said).toContain(`listens on unix:${path}`);
});
