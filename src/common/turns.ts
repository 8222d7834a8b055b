/** Has works done one at a time, in the order in which they were asked for. */
export class Turns<Name extends string> {
  /** The works that are not over, the one under way first. */
  readonly #names: Name[] = [];
  #last: Promise<unknown> = Promise.resolve();

  /** The work under way. */
  get current(): Name | undefined {
    return this.#names.at(0);
  }

  /** @returns What the work comes to, when it was its turn. */
  take<Result>(name: Name, work: () => Promise<Result>): Promise<Result> {
    this.#names.push(name);
    const done = this.#last.then(work).finally(() => this.#names.shift());
    this.#last = done.catch(() => {});
    return done;
  }

  /** Resolves when what was asked for up to now is over. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
