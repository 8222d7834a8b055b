import type * as FileSystem from 'node:fs/promises';

/**
 * A disk that fails on purpose. It counts the steps that change something: a file opened for
 * writing, a rename, a removal.
 */
export class FaultyDisk {
  /** Which step fails, the first is 1; 0: none. */
  failAt = 0;
  /** The error's code. */
  code = 'EIO';
  /** As after a crash of the process: no later step succeeds either. */
  isCrash = false;
  /** Called before each step with what it is about to do. */
  onStep: (what: string) => void = () => {};
  #steps = 0;

  /** Counts anew; `failAt` and the others as given, else no failure. */
  set(plan: { failAt?: number; code?: string; isCrash?: boolean } = {}): void {
    this.failAt = plan.failAt ?? 0;
    this.code = plan.code ?? 'EIO';
    this.isCrash = plan.isCrash ?? false;
    this.onStep = () => {};
    this.#steps = 0;
  }

  get steps(): number {
    return this.#steps;
  }

  /** The functions of a file system, with the faults. For `vi.mock('node:fs/promises')`. */
  wrap(real: typeof FileSystem): typeof FileSystem {
    const open: typeof FileSystem.open = async (path, flags, mode) => {
      if (flags === 'wx') this.#step(`open ${path}`);
      return real.open(path, flags, mode);
    };
    const rename: typeof FileSystem.rename = async (from, to) => {
      this.#step(`rename ${from} to ${to}`);
      return real.rename(from, to);
    };
    const rm: typeof FileSystem.rm = async (path, options) => {
      this.#step(`remove ${path}`);
      return real.rm(path, options);
    };
    return { ...real, open, rename, rm };
  }

  #step(what: string): void {
    this.#steps++;
    this.onStep(what);
    if (this.failAt === 0 || this.#steps < this.failAt) return;
    if (this.#steps > this.failAt && !this.isCrash) return;
    throw Object.assign(new Error(`${this.code}: on purpose, ${what}`), { code: this.code });
  }
}
