/** What the sessions of one server thread have in common, beside what every protocol has. */
export class SharedParts {
  readonly #parts = new Map<new () => unknown, unknown>();

  /** The one object of a class; it is made when it is first asked for. */
  get<T>(part: new () => T): T {
    let found = this.#parts.get(part) as T | undefined;
    if (found === undefined) {
      found = new part();
      this.#parts.set(part, found);
    }
    return found;
  }
}
