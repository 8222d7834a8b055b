import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Systemd } from '../../src/systemd/systemd.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { temporaryFolder } from '../support/folder.ts';

const logger = collectingLogger();

/** A stand-in for systemd-notify writes what it is told, a line for each call. */
function standIn(script: string): () => string {
  const folder = temporaryFolder();
  const said = join(folder, 'said');
  const program = join(folder, 'systemd-notify');
  writeFileSync(program, `#!/bin/sh\n${script}\n`.replace('SAID', said));
  chmodSync(program, 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  return () => (existsSync(said) ? readFileSync(said, 'utf8') : '');
}

const NOTIFY = { NOTIFY_SOCKET: '/run/notify' };

test('systemd is told that the server serves, reloads and stops, in this order', async () => {
  const said = standIn('echo "$*" >> SAID');
  const systemd = Systemd.find(NOTIFY, logger);
  expect(await systemd?.ready('127.0.0.1:11211', false)).toBe(true);
  expect(said()).toBe('READY=1 STATUS=serves on 127.0.0.1:11211\n');
  systemd?.reloading();
  await expect.poll(said).toMatch(/\nRELOADING=1 MONOTONIC_USEC=\d+\n$/);
  systemd?.reloaded();
  await expect.poll(said).toMatch(/\nREADY=1\n$/);
  systemd?.stopping();
  await expect.poll(said).toMatch(/\nSTOPPING=1\n$/);
});

test('a reload that is over before systemd was told of it is told of as one', async () => {
  const said = standIn('echo "$*" >> SAID');
  const systemd = Systemd.find(NOTIFY, logger);
  systemd?.status('busy');
  systemd?.reloading();
  systemd?.reloaded();
  systemd?.reloading();
  systemd?.reloaded();
  await expect.poll(said).toMatch(/READY=1\n$/);
  expect(said()).toMatch(/^STATUS=busy\nRELOADING=1 MONOTONIC_USEC=\d+\nREADY=1\n$/);
});

test('of texts that wait while one is sent, the newest is sent, on one line', async () => {
  const said = standIn('echo "$*" >> SAID');
  const systemd = Systemd.find(NOTIFY, logger);
  for (const text of ['one', 'two', 'three\nSTOPPING=1']) systemd?.status(text);
  await expect.poll(said).toContain('three');
  expect(said()).toMatch(/^STATUS=one\nSTATUS=three.+STOPPING=1\n$/);
});

test('a successor says its pid', async () => {
  const said = standIn('echo "$*" >> SAID');
  await Systemd.find(NOTIFY, logger)?.ready(':1', true);
  expect(said()).toBe(`READY=1 STATUS=serves on :1 MAINPID=${process.pid}\n`);
});

test('the watchdog is told twice in its time, by the process that it is meant for', async () => {
  const said = standIn('echo "$*" >> SAID');
  const usec = { WATCHDOG_USEC: '20000' };
  // By the clock, a busy machine would do nothing but start programs.
  const timers = vi.spyOn(globalThis, 'setInterval').mockReturnValue(setTimeout(() => {}));
  onTestFinished(() => timers.mockRestore());
  const other = Systemd.find({ ...NOTIFY, ...usec, WATCHDOG_PID: '1' }, logger);
  await other?.ready(':1', false);
  const systemd = Systemd.find({ ...NOTIFY, ...usec }, logger);
  await systemd?.ready(':1', false);
  expect(timers).toHaveBeenCalledExactlyOnceWith(expect.any(Function), 10);
  const [[ping]] = timers.mock.calls;
  for (const times of [1, 2]) {
    ping();
    await expect.poll(said).toMatch(new RegExp(`[^\\n](?:\\nWATCHDOG=1){${times}}\\n$`));
  }
  systemd?.stopping();
});

test('without the program there is one warning, and nothing else is tried', async () => {
  standIn('echo no such socket >&2; exit 1');
  // Processes of the tests before may fail late.
  const logger = collectingLogger();
  const systemd = Systemd.find(NOTIFY, logger);
  expect(await systemd?.ready(':1', false)).toBe(false);
  systemd?.status('more');
  const [warning, ...others] = logger.lines;
  expect(warning).toMatch(/^warn systemd cannot be notified \(.*no such socket/);
  expect(others).toEqual([]);
});

test('without a socket nobody is told', () => {
  expect(Systemd.find({}, logger)).toBeUndefined();
});
