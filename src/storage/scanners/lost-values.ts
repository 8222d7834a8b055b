import { counted, Finding } from './finding.ts';
import type { PageFile } from './page-file.ts';

/** Counts the values of keys with several, of which the first is served. */
export class LostValues {
  readonly #keys = new Finding();
  readonly #file: PageFile;
  #values = 0;

  constructor(file: PageFile) {
    this.#file = file;
  }

  /**
   * @param values How many of a key's values are not served.
   * @param key Memory that holds the key in [start, end). Lent for the call only.
   */
  note(values: number, key: Uint8Array, start: number, end: number): void {
    this.#values += values;
    this.#keys.note(key, start, end, () => this.#file.place);
  }

  /** undefined: there were none. */
  get notice(): string | undefined {
    if (this.#values === 0) return undefined;
    const values = counted(this.#values, 'value is', 'values are');
    const keys = counted(this.#keys.count, 'key has', 'keys have');
    return `${values} not served: ${keys} several, and the first of each is served; the first such key is ${this.#keys.first}`;
  }
}
