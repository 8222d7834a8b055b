import { counted, Finding, type Locate } from './finding.ts';
import type { RecordSink } from './scanner.ts';

/** memcached's KEY_MAX_LENGTH: clients refuse longer keys before they ask. */
const MEMCACHED_KEY_BYTES_MAX = 250;

const SPACE = 0x20;
const DELETE = 0x7f;

/**
 * Judges a key in key[start, end), lent for the call.
 *
 * @throws GoromdbError when the file must not have it.
 */
export type KeyRule = (key: Uint8Array, start: number, end: number, locate: Locate) => void;

/**
 * Counts the keys that memcached's clients cannot ask for: by its protocol a key has 1 to 250 bytes,
 * without spaces and control characters. It looks at each byte of a key once.
 */
export class KeyCheck {
  /** The place of the record at hand, for messages. */
  locate: Locate = () => undefined;
  #records = 0;
  readonly #empty = new Finding();
  readonly #long = new Finding();
  readonly #unprintable = new Finding();
  /** Keys with a NUL at the end and nothing else against them. */
  readonly #terminated = new Finding();
  /** Whether one of these came before all that are unprintable. */
  #isNulFirst = false;
  #nulEnds = 0;
  readonly #rule: KeyRule | undefined;

  /** @param rule What all keys must have; undefined: nothing. */
  constructor(rule?: KeyRule) {
    this.#rule = rule;
  }

  /** @param key Memory that holds the key in [start, end). Lent for the call only. */
  look(key: Uint8Array, start: number, keyEnd: number): void {
    this.#rule?.(key, start, keyEnd, this.locate);
    const bytes = keyEnd - start;
    const end = bytes > 0 && key[keyEnd - 1] === 0 ? keyEnd - 1 : keyEnd;
    let at = start;
    while (at < end && key[at] > SPACE && key[at] !== DELETE) at++;
    if (at < end) this.#note(this.#unprintable, key, start, keyEnd);
    else if (end < keyEnd) {
      this.#isNulFirst ||= this.#unprintable.count === 0;
      this.#note(this.#terminated, key, start, keyEnd);
    }
    if (end < keyEnd) this.#nulEnds++;
    if (bytes > MEMCACHED_KEY_BYTES_MAX) this.#note(this.#long, key, start, keyEnd);
    if (bytes === 0) this.#note(this.#empty, key, start, keyEnd);
    this.#records++;
  }

  /** How many keys were looked at. */
  get records(): number {
    return this.#records;
  }

  /** What was found, a sentence for each kind. */
  notices(): readonly string[] {
    const notices: string[] = [];
    const areTerminated = this.#nulEnds === this.#records && this.#terminated.count > 0;
    if (areTerminated) {
      const all = this.#records === 1 ? 'the only key ends' : `all ${this.#records} keys end`;
      notices.push(
        `${all} in a NUL, as C programs write them: a client finds a key only with its NUL, which ` +
          `memcached's text clients cannot send; the first is ${this.#terminated.first}`,
      );
    }
    const found = areTerminated ? [this.#unprintable] : [this.#unprintable, this.#terminated];
    const count = found.reduce((sum, finding) => sum + finding.count, 0);
    if (count > 0) {
      const first = this.#isNulFirst && !areTerminated ? this.#terminated : this.#unprintable;
      notices.push(
        `${counted(count, 'key has', 'keys have')} a space or a control character, which memcached's ` +
          `text clients cannot ask for; the first is ${first.first}`,
      );
    }
    if (this.#long.count > 0) {
      notices.push(
        `${counted(this.#long.count, 'key is', 'keys are')} longer than ${MEMCACHED_KEY_BYTES_MAX} ` +
          `bytes, which memcached's clients cannot ask for; the first is ${this.#long.first}`,
      );
    }
    if (this.#empty.count > 0) {
      notices.push(`the empty key, which memcached's clients cannot ask for${this.#empty.place}`);
    }
    return notices;
  }

  #note(finding: Finding, key: Uint8Array, start: number, end: number): void {
    finding.note(key, start, end, this.locate);
  }
}

/** Passes records on, and has their keys looked at. */
export function checkedSink(sink: RecordSink, check: KeyCheck): RecordSink {
  return {
    add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags) {
      check.look(key, keyStart, keyEnd);
      sink.add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags);
    },
  };
}
