import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { onTestFinished, type TestContext } from 'vitest';
import { messageOf } from '../../src/common/errors.ts';
import { temporaryFolder } from './folder.ts';

/**
 * A small disk of its own: a tmpfs, which takes root to mount. Where that is not permitted the test is
 * left out with the reason; in CI it fails, so that it is never left out unseen.
 */
export function mountSmallDisk({ skip }: TestContext, bytes: number): string {
  const folder = temporaryFolder();
  const path = join(folder, 'disk');
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path], {
      stdio: 'pipe',
    });
  } catch (cause) {
    const reason = `this test mounts a tmpfs, which takes root: ${messageOf(cause)}`;
    if (process.env.CI !== undefined) throw new Error(reason);
    skip(reason);
  }
  onTestFinished(() => void execFileSync('umount', ['-l', path]));
  return path;
}
