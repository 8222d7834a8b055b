import { oneLine } from './log.ts';

/** Warnings kept about one file: a user's scanner may have many. */
const NOTICES_MAX = 16;

/** Longest one that is kept, in characters. */
const NOTICE_CHARS_MAX = 1_000;

/** Collects what the owner of a sound file should know. */
export class Notices {
  readonly #texts: string[] = [];
  #count = 0;

  add(text: string): void {
    this.#count++;
    if (this.#texts.length < NOTICES_MAX) this.#texts.push(bounded(text));
  }

  get texts(): readonly string[] {
    const more = this.#count - this.#texts.length;
    return more === 0 ? this.#texts : [...this.#texts, `there are ${more} more warnings`];
  }
}

/** Shortens a warning: a record or a receipt with all of them stays short enough to be read. */
export function bounded(text: string): string {
  // JSON takes six bytes for half a character.
  return oneLine(text)
    .slice(0, NOTICE_CHARS_MAX)
    .replace(/\p{Cs}/gu, '\ufffd');
}

/** Whether a value of a record or a receipt is a list of warnings; undefined: there are none. */
export function areWarnings(value: unknown): value is readonly string[] | undefined {
  if (value === undefined) return true;
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
