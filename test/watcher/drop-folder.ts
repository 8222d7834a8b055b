import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, vi } from 'vitest';
import type { Logger } from '../../src/common/log.ts';
import type { Drop, Verdict } from '../../src/watcher/drop.ts';
import { startWatcher, type Watcher, type WatcherOptions } from '../../src/watcher/watcher.ts';
import { waitFor } from '../support/patience.ts';

export const STABLE_MS = 40;
export const SETTLED_MS = 120;
/** So long that no test passes by a re-scan that should pass by an event. */
export const NEVER_MS = 3_600_000;
/** An mtime long past: the file is not in the making. */
export const LONG_AGO_S = 1_600_000_000;

export interface DropFolder {
  readonly folder: string;
  readonly file: string;
  readonly sumFile: string;
  /** What the watcher logged in this test. */
  readonly infos: string[];
  readonly warnings: string[];
  readonly errors: string[];
  /** What {@link verify} was offered in this test. */
  readonly drops: Drop[];
  /** Answers a drop as a loader does: removes what matches, and says what it found otherwise. */
  readonly verify: (drop: Drop) => Promise<Verdict>;
  /** Starts a watcher with short times and no re-scan, which is closed after the test. */
  readonly start: (options?: Partial<WatcherOptions>) => Watcher;
  /** Writes a path in one step, as a careful producer does; the content is not in the making. */
  readonly put: (path: string, content: string) => Promise<void>;
  readonly putFile: (content: string) => Promise<void>;
  /** Puts the sum file of a content. */
  readonly putSum: (content: string) => Promise<void>;
}

/** Gives each test of a file an empty folder to drop into, and removes it afterwards. */
export function useDropFolder(): DropFolder {
  const root = mkdtempSync(join(tmpdir(), 'goromdb-watcher-'));
  const folder = join(root, 'drops');
  const file = join(folder, 'data.db');
  const sumFile = `${file}.md5`;
  const infos: string[] = [];
  const warnings: string[] = [];
  const errors: string[] = [];
  const drops: Drop[] = [];
  const watchers: Watcher[] = [];
  const logger: Logger = {
    info: (message) => void infos.push(message),
    warn: (message) => void warnings.push(message),
    error: (message) => void errors.push(message),
  };

  const verify = async (drop: Drop): Promise<Verdict> => {
    drops.push(drop);
    const found = md5(await readFile(drop.file, 'utf8'));
    if (found !== drop.md5) return { kind: 'mismatch', found };
    await rm(drop.file);
    await rm(drop.sumFile);
    return { kind: 'taken' };
  };
  const start = (options: Partial<WatcherOptions> = {}): Watcher => {
    const times = { rescanMs: NEVER_MS, stableMs: STABLE_MS, settledMs: SETTLED_MS };
    const watcher = startWatcher({ file, onDrop: verify, logger, ...times, ...options });
    watchers.push(watcher);
    return watcher;
  };
  const put = async (path: string, content: string): Promise<void> => {
    const temporary = join(root, 'in-the-making');
    await writeFile(temporary, content);
    await utimes(temporary, LONG_AGO_S, LONG_AGO_S);
    await rename(temporary, path);
  };

  beforeEach(() => mkdir(folder));
  afterEach(async () => {
    await Promise.all(watchers.map((watcher) => watcher.close()));
    vi.restoreAllMocks();
    for (const list of [infos, warnings, errors, drops, watchers]) list.length = 0;
    await rm(root, { recursive: true });
    await mkdir(root);
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const putFile = (content: string): Promise<void> => put(file, content);
  const putSum = (content: string): Promise<void> => put(sumFile, `${md5(content)}  data.db\n`);
  return {
    folder,
    file,
    sumFile,
    infos,
    warnings,
    errors,
    drops,
    verify,
    start,
    put,
    putFile,
    putSum,
  };
}

export function md5(content: string): string {
  return createHash('md5').update(content).digest('hex');
}

/** Resolves once the assertion holds. */
export function until(assertion: () => void): Promise<void> {
  return waitFor(assertion);
}

/** Resolves when the watcher has had every occasion to do what it must not do. */
export function pass(ms: number = SETTLED_MS * 2): Promise<void> {
  return delay(ms);
}

/** A promise and what resolves it. */
export function createGate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
