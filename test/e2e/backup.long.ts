import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { restore } from '../../src/cli/folders/restore.ts';
import { silentLogger } from '../../src/common/log.ts';
import { LoaderHarness, serving, version } from '../loader/loader-harness.ts';
import { md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const PRELOAD = fileURLToPath(new URL('../support/crash-point.mjs', import.meta.url));
/** A backup or a restore has fewer; more would mean that it never ends. */
const STEPS_MAX = 100;

const SILENTLY = { logger: silentLogger, signal: new AbortController().signal };

const MIB = 1024 * 1024;

async function run(...args: readonly string[]): Promise<GoromdbProcess> {
  const process = new GoromdbProcess(args);
  await process.exit();
  return process;
}

/** Runs a command, killed just before each step that changes something on the disk, until it is not. */
async function killAtEachStep(
  prepare: () => readonly string[],
  check: (context: string) => Promise<void>,
): Promise<string> {
  const log = join(temporaryFolder(), 'steps');
  vi.stubEnv('GOROMDB_CRASH_LOG', log);
  vi.stubEnv('GOROMDB_CRASH_FROM', 'start');
  onTestFinished(() => void vi.unstubAllEnvs());
  for (let step = 1; step <= STEPS_MAX; step++) {
    const args = prepare();
    rmSync(log, { force: true });
    vi.stubEnv('GOROMDB_CRASH_AT', String(step));
    vi.stubEnv('NODE_OPTIONS', `--import ${PRELOAD}`);
    const { child, stderr } = await run(...args);
    vi.stubEnv('NODE_OPTIONS', '');
    const context = `step ${step}: ${readFileSync(log, 'utf8').split('\n').at(-2)}`;
    await check(context);
    if (child.signalCode === 'SIGKILL') continue;
    expect(child.exitCode, stderr).toBe(0);
    return readFileSync(log, 'utf8');
  }
  throw new Error(`it does not end after ${STEPS_MAX} steps`);
}

/** What a server that starts on a folder serves. */
async function valueIn(base: string): Promise<string | undefined> {
  const harness = new LoaderHarness({ baseDir: base });
  await harness.start();
  await harness.end();
  return harness.value;
}

async function backupOf(v: number): Promise<string> {
  const harness = new LoaderHarness();
  await harness.start();
  await harness.load(version(v));
  await harness.end();
  const backup = join(temporaryFolder(), 'backup');
  expect((await run('backup', harness.base, backup)).child.exitCode).toBe(0);
  return backup;
}

test('a backup killed at any step is not there, or whole', async () => {
  const { base } = await serving();
  const folder = temporaryFolder();
  const target = join(folder, 'backup');
  const outcomes = new Set<boolean>();
  const prepare = (): readonly string[] => {
    rmSync(target, { recursive: true, force: true });
    return ['backup', base, target];
  };
  const steps = await killAtEachStep(prepare, async (context) => {
    const isThere = existsSync(target);
    outcomes.add(isThere);
    const restored = join(temporaryFolder(), 'base');
    const attempt = restore(target, restored, SILENTLY);
    if (!isThere) await expect(attempt, context).rejects.toThrow(/goromdb backup has made/);
    else await attempt;
    if (isThere) expect(await valueIn(restored), context).toBe('2');
  });
  expect(outcomes).toEqual(new Set([true, false]));
  expect(steps).toContain('SHA256SUMS');
  // What kills have left is hidden, and says what it is.
  for (const name of readdirSync(folder)) expect(name).toMatch(/^backup$|^\.backup\..*\.partial$/);
});

test('a restore killed at any step leaves what was served, or what was restored', async () => {
  const backup = await backupOf(3);
  const before = await serving();
  await before.end();
  const base = join(temporaryFolder(), 'base');
  const values = new Set<string | undefined>();
  const prepare = (): readonly string[] => {
    rmSync(base, { recursive: true, force: true });
    cpSync(before.base, base, { recursive: true });
    return ['restore', backup, base];
  };
  await killAtEachStep(prepare, async (context) => {
    const value = await valueIn(base);
    expect(['2', '3'], context).toContain(value);
    values.add(value);
    // And a second attempt succeeds.
    const { record } = await restore(backup, base, SILENTLY);
    expect(record.md5, context).toBe(md5(version(3)));
  });
  expect(values).toEqual(new Set(['2', '3']));
});

test('a full disk leaves no backup, and a restore changes nothing on it', async (context) => {
  const backup = await backupOf(3);
  const disk = mountSmallDisk(context, MIB);
  const before = await serving();
  await before.end();
  const base = join(disk, 'base');
  cpSync(before.base, base, { recursive: true });
  const filler = join(disk, 'filler');
  fill(filler);
  const target = join(disk, 'backup');
  const refused = await run('backup', base, target);
  expect(refused.child.exitCode).toBe(1);
  expect(refused.stderr).toMatch(
    /^goromdb: cannot make .*backup: .*room.*; nothing is left of it$/m,
  );
  expect(readdirSync(disk).sort()).toEqual(['base', 'filler']);

  fill(filler);
  const failed = await run('restore', backup, base);
  expect(failed.child.exitCode).toBe(1);
  expect(failed.stderr).toMatch(/^goromdb: cannot .*make room on that disk/);
  rmSync(filler);
  expect(await valueIn(base)).toBe('2');
  expect((await run('restore', backup, base)).child.exitCode).toBe(0);
  expect(await valueIn(base)).toBe('3');
  expect((await run('backup', base, target)).child.exitCode).toBe(0);
});

function fill(path: string): void {
  for (let bytes = 4 * MIB; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(bytes), { flag: 'a' });
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }
}

test('an interrupted backup cleans up', async () => {
  const harness = new LoaderHarness();
  await harness.start();
  await harness.load(JSON.stringify({ v: '1', large: 'x'.repeat(64 * MIB) }));
  await harness.end();
  const folder = temporaryFolder();
  const process = new GoromdbProcess(['backup', harness.base, join(folder, 'backup')]);
  await expect.poll(() => readdirSync(folder).length, { interval: 1 }).toBe(1);
  const code = await process.kill('SIGTERM');
  // It may have been faster.
  expect(readdirSync(folder)).toEqual(code === 0 ? ['backup'] : []);
});
