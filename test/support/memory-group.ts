import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { onTestFinished, type TestContext } from 'vitest';
import { messageOf } from '../../src/common/errors.ts';

const ROOT = '/sys/fs/cgroup';

/** A control group: what its processes take of memory, their part of the page cache too, is bounded. */
export interface MemoryGroup {
  /** Has a process that was just started take its memory there. */
  add(pid: number): void;
  /** The most bytes that it has held. */
  readonly bytesMax: number;
}

/**
 * Makes a control group (version 1 or 2), which takes root. Where that is not permitted the test is left
 * out with the reason; in CI it fails, so that it is never left out unseen.
 */
export function limitMemory({ skip }: TestContext, bytes: number): MemoryGroup {
  const isSecond = !existsSync(join(ROOT, 'memory'));
  const folder = join(ROOT, isSecond ? '' : 'memory', `goromdb-test-${process.pid}`);
  const [limit, peak] = isSecond
    ? ['memory.max', 'memory.peak']
    : ['memory.limit_in_bytes', 'memory.max_usage_in_bytes'];
  try {
    if (isSecond) writeFileSync(join(ROOT, 'cgroup.subtree_control'), '+memory');
    mkdirSync(folder);
    onTestFinished(() => rmdirSync(folder));
    writeFileSync(join(folder, limit), String(bytes));
  } catch (cause) {
    const reason = `this test makes a control group, which takes root: ${messageOf(cause)}`;
    if (process.env.CI !== undefined) throw new Error(reason);
    skip(reason);
  }
  return {
    add: (pid) => writeFileSync(join(folder, 'cgroup.procs'), String(pid)),
    get bytesMax() {
      return Number(readFileSync(join(folder, peak), 'utf8'));
    },
  };
}
