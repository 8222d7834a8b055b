import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './folder.ts';

/**
 * A clock of the day for processes, which steps while they run, as that of a machine does when it is set.
 * Timers go on by the monotonic clock. By libfaketime, so not for etcd: programs in Go ask the system itself.
 */
export class SteppedClock {
  readonly #path = join(temporaryFolder(), 'clock');
  /** Runs the command behind it by this clock, in its own process. */
  readonly within: readonly string[];

  constructor() {
    const files = execFileSync('dpkg', ['-L', 'libfaketime'], { encoding: 'utf8' }).split('\n');
    const library = files.find((path) => path.endsWith('/libfaketimeMT.so.1'));
    this.within = [
      ...['env', `LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${this.#path}`],
      ...['FAKETIME_CACHE_DURATION=1', 'FAKETIME_DONT_FAKE_MONOTONIC=1'],
    ];
    this.step(0);
  }

  /** @param seconds From the right time; less than 0: into the past. */
  step(seconds: number): void {
    writeFileSync(`${this.#path}.new`, `${seconds < 0 ? '' : '+'}${seconds}s\n`);
    renameSync(`${this.#path}.new`, this.#path);
  }
}
