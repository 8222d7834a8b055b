/** Runs jobs one at a time, in the order in which they were asked for. */
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
