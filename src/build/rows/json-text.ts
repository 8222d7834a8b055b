/** JSON texts, as bytes. */
import { isUtf8 } from 'node:buffer';
import { PLAIN } from '../../storage/formats/json/json-bytes.ts';
import type { ByteText } from './byte-text.ts';
import { BadRow } from './row.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** What is written for each ASCII byte that a string cannot have as it is: RFC 8259 section 7. */
const ESCAPES: readonly Buffer[] = Array.from({ length: 128 }, (_, byte) =>
  Buffer.from(JSON.stringify(String.fromCharCode(byte)).slice(1, -1)),
);

/** The text of a string without its escapes, which were checked. */
export function withoutEscapes(bytes: Buffer, start: number, end: number): Buffer {
  return Buffer.from(JSON.parse(`"${bytes.toString('utf8', start, end)}"`) as string);
}

/** Appends a text as a JSON string, in quotes. @throws BadRow when it is not UTF-8. */
export function appendString(target: ByteText, bytes: Buffer, start: number, end: number): void {
  target.appendByte(QUOTE);
  let run = start;
  let isAscii = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (PLAIN[byte] === 1) continue;
    if (byte > 0x7f) {
      isAscii = false;
      continue;
    }
    target.append(bytes, run, at);
    const short = ESCAPES[byte];
    target.append(short, 0, short.length);
    run = at + 1;
  }
  if (!isAscii && !isUtf8(bytes.subarray(start, end))) throw new BadRow('expected UTF-8 for JSON');
  target.append(bytes, run, end);
  target.appendByte(QUOTE);
}

/** Appends a JSON text, which was checked, without the spaces between its parts. */
export function appendCompact(target: ByteText, bytes: Buffer, start: number, end: number): void {
  let run = start;
  let isInString = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (isInString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) {
      isInString = true;
    } else if (byte <= 0x20) {
      target.append(bytes, run, at);
      run = at + 1;
    }
  }
  target.append(bytes, run, end);
}
