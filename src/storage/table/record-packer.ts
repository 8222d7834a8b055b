import { GoromdbError } from '../../common/errors.ts';
import { copyWords, viewOf, WORDS_BYTES_MAX, WORDS_SLACK_BYTES } from '../copy-words.ts';
import { copyBytes, recordBytes, writeRecordHead, writeRecordTail } from '../record.ts';
import { KEY_BYTES_MAX, type RecordSink, VALUE_BYTES_MAX } from '../scanners/scanner.ts';

/** Memory that records are written to, one behind the other. */
export interface Block {
  readonly bytes: Buffer<ArrayBufferLike>;
  /** The same bytes. */
  readonly view: DataView;
  used: number;
}

/** @param used What is taken at the beginning. */
export function blockOf(bytes: Buffer<ArrayBufferLike>, used: number): Block {
  return { bytes, view: viewOf(bytes), used };
}

const NO_BLOCK = blockOf(Buffer.alloc(0), 0);

/** Packs records into blocks of memory: see record.ts. */
export class RecordPacker implements RecordSink {
  readonly #next: (bytes: number) => Block;
  #block = NO_BLOCK;
  /** Where the last value came from. Scanners hand over one page after the other in one buffer. */
  #source: Uint8Array = NO_BLOCK.bytes;
  #sourceView: DataView = NO_BLOCK.view;
  #records = 0;

  /** @param next Gives the block to go on in, with room for so many bytes. */
  constructor(next: (bytes: number) => Block) {
    this.#next = next;
  }

  get records(): number {
    return this.#records;
  }

  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    flags: number,
  ): void {
    const keyBytes = keyEnd - keyStart;
    const valueBytes = valueEnd - valueStart;
    if (flags >>> 0 !== flags)
      throw new RangeError(`flags are not an unsigned 32-bit number: ${flags}`);
    if (keyBytes > KEY_BYTES_MAX) throw tooLarge('a key', keyBytes, KEY_BYTES_MAX);
    if (valueBytes > VALUE_BYTES_MAX) throw tooLarge('a value', valueBytes, VALUE_BYTES_MAX);
    const bytes = recordBytes(keyBytes, valueBytes, flags);
    if (this.#block.used + bytes > this.#block.bytes.length) this.#block = this.#next(bytes);
    const block = this.#block;
    let at = block.used;
    at = writeRecordHead(block.bytes, at, key, keyStart, keyEnd, valueBytes, flags);
    at = this.#copyValue(block, at, value, valueStart, valueEnd);
    block.used = writeRecordTail(block.bytes, at);
    this.#records++;
  }

  /**
   * By words where it can be. A million values of 100 bytes make a hundred megabytes of garbage
   * otherwise (2026-11-21), which V8 collects with threads of its own beside those that serve.
   */
  #copyValue(
    { bytes, view }: Block,
    at: number,
    source: Uint8Array,
    start: number,
    end: number,
  ): number {
    const length = end - start;
    const hasSlack =
      end + WORDS_SLACK_BYTES <= source.length && at + length + WORDS_SLACK_BYTES <= bytes.length;
    if (length > WORDS_BYTES_MAX || !hasSlack) return copyBytes(bytes, at, source, start, end);
    if (source !== this.#source) {
      this.#source = source;
      this.#sourceView = viewOf(source);
    }
    copyWords(view, at, this.#sourceView, start, end);
    return at + length;
  }
}

export function tooLarge(what: string, found: number, limit: number): GoromdbError {
  return new GoromdbError(
    'LIMIT_EXCEEDED',
    `${what} is too large: expected at most ${limit}, found ${found}`,
  );
}
