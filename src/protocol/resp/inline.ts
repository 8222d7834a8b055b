/**
 * Inline commands: a line of words, for people who type to the server by telnet (RESP
 * specification, "Inline commands").
 */

/** A longer line ends the connection (Redis: PROTO_INLINE_MAX_SIZE). */
export const INLINE_BYTES_MAX = 64 * 1024;

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  a: '\x07',
};

/** What Redis takes for white space, C's `isspace`, and NUL, which ends the line for it. */
const SPACE = 1;
const QUOTE = 2;
const KINDS = new Uint8Array(256);
for (const char of ' \t\n\v\f\r\0') KINDS[char.charCodeAt(0)] = SPACE;
for (const char of `"'`) KINDS[char.charCodeAt(0)] = QUOTE;

/** Reads a word at a time. */
class WordReader {
  readonly #line: string;
  #at = 0;
  /** Whether a quote was not closed, or something is right behind one that was. */
  isBroken = false;

  constructor(line: string) {
    this.#line = line;
  }

  /** @returns The next word, '' for an empty one in quotes; undefined at the end of the line. */
  next(): string | undefined {
    while (this.#at < this.#line.length && this.#isAtSpace()) this.#at++;
    if (this.#at === this.#line.length) return undefined;
    let word = '';
    while (this.#at < this.#line.length && !this.#isAtSpace()) {
      word += this.#kind() === QUOTE ? this.#quoted(this.#line[this.#at++]) : this.#plain();
    }
    return word;
  }

  /** Reads up to a space or a quote. */
  #plain(): string {
    const start = this.#at;
    while (this.#at < this.#line.length && this.#kind() === 0) this.#at++;
    return this.#line.slice(start, this.#at);
  }

  /** Reads up to the closing quote, behind which the word must end. */
  #quoted(quote: string): string {
    let text = '';
    while (this.#at < this.#line.length) {
      const char = this.#line[this.#at++];
      if (char === quote) {
        this.isBroken ||= this.#at < this.#line.length && !this.#isAtSpace();
        return text;
      }
      text += char === '\\' ? this.#escaped(quote) : char;
    }
    this.isBroken = true;
    return text;
  }

  /** Reads what is behind a backslash. In single quotes it means something before one only. */
  #escaped(quote: string): string {
    const char = this.#line[this.#at];
    if (char === undefined || (quote === "'" && char !== "'")) return '\\';
    const hex = char === 'x' ? this.#line.slice(this.#at + 1, this.#at + 3) : '';
    if (/^[\da-f]{2}$/i.test(hex)) {
      this.#at += 3;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    this.#at++;
    return ESCAPES[char] ?? char;
  }

  #isAtSpace(): boolean {
    return this.#kind() === SPACE;
  }

  /** What the character is that comes next: Latin-1, so its code is a byte. */
  #kind(): number {
    return KINDS[this.#line.charCodeAt(this.#at)];
  }
}

/**
 * Turns a line into the request that means the same.
 *
 * @returns An empty request for an empty line; undefined when its quotes are not balanced.
 */
export function requestOfLine(input: Buffer, start: number, end: number): Buffer | undefined {
  const words: string[] = [];
  const reader = new WordReader(input.toString('latin1', start, end));
  for (let word = reader.next(); word !== undefined; word = reader.next()) words.push(word);
  if (reader.isBroken) return undefined;
  const bulks = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${bulks.join('')}`, 'latin1');
}
