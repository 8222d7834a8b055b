/** Most names of databases in an error message, and most characters of one. */
const NAMES_MAX = 10;
const NAME_CHARS_MAX = 64;

/** The names of the databases in a file, for a message that says which there are. */
export class NameList {
  readonly #names: string[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(name: Buffer): void {
    this.#count++;
    if (this.#names.length < NAMES_MAX) this.#names.push(printable(name.toString()));
  }

  /** The first of them, quoted, and how many more there are. */
  toString(): string {
    const more = this.#count - this.#names.length;
    return this.#names.join(', ') + (more > 0 ? ` and ${more} more` : '');
  }
}

/** Quotes a name so that it can go to a log: one line, printable ASCII, not too long. */
export function printable(name: string): string {
  const short = name.length > NAME_CHARS_MAX ? `${name.slice(0, NAME_CHARS_MAX)}...` : name;
  return JSON.stringify(short).replace(
    /[^ -~]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
