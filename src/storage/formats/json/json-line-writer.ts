/** Writes records as the JSON Lines that are read again: see `JsonLines`. */
import { isUtf8 } from 'node:buffer';
import { copyBytes, writeDecimal } from '../../record.ts';

/** Bytes that are collected before they are written. */
const BUFFER_BYTES = 256 * 1024;

/** Bytes of a value that are escaped or encoded at once: in the buffer they take at most six times as many. */
const PIECE_BYTES = 24 * 1024;

/** Where a string is cut in base64, so that the pieces make one text. */
const BASE64_PIECE_BYTES = 3 * 8 * 1024;

/** More than the punctuation of a line and its flags. */
const LINE_BYTES = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

/** The names of a record's fields; `Base64` is put behind those whose bytes are no text. */
const KEY = Buffer.from('{"key');
const VALUE = Buffer.from(',"value');
const BASE64 = Buffer.from('Base64');
const OPEN = Buffer.from('":"');
const FLAGS = Buffer.from(',"flags":');
const END = Buffer.from('}\n');

/** RFC 8259 section 7: the text that stands for each byte that cannot stand for itself. */
const ESCAPES: readonly (Buffer | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const text = JSON.stringify(String.fromCharCode(code)).slice(1, -1);
  return text.length === 1 ? undefined : Buffer.from(text);
});

/** How a string is written. */
type Form = 'plain' | 'escaped' | 'base64';

/** Writes a line for each record. */
export class JsonLineWriter {
  readonly #write: (bytes: Buffer) => void;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;

  /** @param write Takes many lines at once; the bytes are lent for the call. */
  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  /** Writes a record; client flags 0 are left out. */
  record(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    flags: number,
  ): void {
    this.#beginLine();
    this.#field(KEY, key, keyStart, keyEnd);
    this.#field(VALUE, value, valueStart, valueEnd);
    this.#room(LINE_BYTES);
    if (flags !== 0) {
      this.#put(FLAGS);
      this.#used = writeDecimal(this.#buffer, this.#used, flags);
    }
    this.#put(END);
  }

  /** Writes a line with nothing but a key. */
  key(key: Uint8Array, start: number, end: number): void {
    this.#beginLine();
    this.#field(KEY, key, start, end);
    this.#room(LINE_BYTES);
    this.#put(END);
  }

  flush(): void {
    const used = this.#used;
    this.#used = 0;
    if (used > 0) this.#write(this.#buffer.subarray(0, used));
  }

  #beginLine(): void {
    this.#room(LINE_BYTES);
  }

  #field(name: Buffer, bytes: Uint8Array, start: number, end: number): void {
    const form = formOf(bytes, start, end);
    this.#room(LINE_BYTES);
    this.#put(name);
    if (form === 'base64') this.#put(BASE64);
    this.#put(OPEN);
    if (form === 'plain') this.#plain(bytes, start, end);
    else if (form === 'escaped') this.#escaped(bytes, start, end);
    else this.#base64(bytes, start, end);
    this.#room(LINE_BYTES);
    this.#buffer[this.#used++] = QUOTE;
  }

  #plain(bytes: Uint8Array, start: number, end: number): void {
    if (end - start <= BUFFER_BYTES) {
      this.#room(end - start);
      this.#used = copyBytes(this.#buffer, this.#used, bytes, start, end);
      return;
    }
    this.flush();
    this.#write(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start));
  }

  #escaped(bytes: Uint8Array, start: number, end: number): void {
    for (let from = start; from < end; from += PIECE_BYTES) {
      const to = Math.min(end, from + PIECE_BYTES);
      this.#room(6 * PIECE_BYTES);
      for (let at = from; at < to; at++) {
        const byte = bytes[at];
        const text = byte < 128 ? ESCAPES[byte] : undefined;
        if (text === undefined) this.#buffer[this.#used++] = byte;
        else this.#put(text);
      }
    }
  }

  #base64(bytes: Uint8Array, start: number, end: number): void {
    for (let from = start; from < end; from += BASE64_PIECE_BYTES) {
      const to = Math.min(end, from + BASE64_PIECE_BYTES);
      this.#room(2 * BASE64_PIECE_BYTES);
      const piece = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from);
      this.#used += this.#buffer.write(piece.toString('base64'), this.#used, 'latin1');
    }
  }

  #put(bytes: Uint8Array): void {
    this.#used = copyBytes(this.#buffer, this.#used, bytes, 0, bytes.length);
  }

  #room(bytes: number): void {
    if (this.#used + bytes > BUFFER_BYTES) this.flush();
  }
}

function formOf(bytes: Uint8Array, start: number, end: number): Form {
  let all = 0;
  let isEscaped = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    all |= byte;
    if (byte < SPACE || byte === QUOTE || byte === BACKSLASH) isEscaped = true;
  }
  if (all >= 128 && !isUtf8(bytes.subarray(start, end))) return 'base64';
  return isEscaped ? 'escaped' : 'plain';
}
