/** Runs jobs in the order in which they were asked for, never two at once. */
export class Turns<Name extends string> {
  /** The jobs that have not ended, the running one first. */
  readonly #names: Name[] = [];
  #last: Promise<unknown> = Promise.resolve();

  /** The running job. */
  get current(): Name | undefined {
    return this.#names.at(0);
  }

  /** @returns What the job returns, when it has had its turn. */
  take<Result>(name: Name, job: () => Promise<Result>): Promise<Result> {
    this.#names.push(name);
    const done = this.#last.then(job).finally(() => this.#names.shift());
    this.#last = done.catch(() => {});
    return done;
  }

  /** Resolves when all jobs that were asked for up to now have ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}

/** So many may be at work at one time; the others wait, in the order in which they came. */
export class Places {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** @returns Whether a place was taken, which must be given back; if not, `signal` was aborted. */
  async take(signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted) return false;
    if (this.#free > 0) {
      this.#free -= 1;
      return true;
    }
    return new Promise((resolve) => {
      const enter = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve(true);
      };
      const leave = (): void => {
        this.#waiting.delete(enter);
        resolve(false);
      };
      this.#waiting.add(enter);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  giveBack(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
