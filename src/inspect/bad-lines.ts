import { isBadFile } from '../common/errors.ts';
import { JsonLines } from '../storage/formats/json/json-lines.ts';
import { readBytes } from '../storage/scanners/byte-source.ts';
import type { FieldOptions, ScanInput } from '../storage/scanners/scanner.ts';

const LF = 0x0a;

export interface BadLines {
  /** The first of them, in their order. */
  readonly errors: readonly Error[];
  /** Whether the rest of the file was not looked at. */
  readonly mayBeMore: boolean;
}

/**
 * Finds the lines of JSON Lines that are wrong: where the next one begins is known.
 *
 * @param errorsMax After so many it ends.
 * @throws GoromdbError DATA_CORRUPT when gzip data is damaged, FILE_UNREADABLE.
 */
export async function badLines(
  input: ScanInput,
  gzipped: boolean,
  fields: FieldOptions | undefined,
  errorsMax: number,
): Promise<BadLines> {
  const lines = new LineCheck(input.path, gzipped ? 'the decompressed text' : undefined, fields);
  for await (const chunk of readBytes(input, { gzipped })) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    for (let start = 0; start < bytes.length; ) {
      const end = bytes.indexOf(LF, start) + 1 || bytes.length;
      lines.write(bytes.subarray(start, end));
      if (lines.errors.length === errorsMax) return { errors: lines.errors, mayBeMore: true };
      start = end;
    }
  }
  lines.end();
  return { errors: lines.errors, mayBeMore: false };
}

class LineCheck {
  readonly errors: Error[] = [];
  readonly #path: string;
  readonly #text: string | undefined;
  readonly #fields: FieldOptions | undefined;
  #offset = 0;
  #line = 1;
  #reader: JsonLines;
  /** Whether the line at hand is known to be wrong. */
  #isBad = false;
  #isInLine = false;

  constructor(path: string, text: string | undefined, fields: FieldOptions | undefined) {
    this.#path = path;
    this.#text = text;
    this.#fields = fields;
    this.#reader = this.#newReader();
  }

  /** @param piece A line, or a part of one. */
  write(piece: Buffer): void {
    if (!this.#isBad) this.#try(() => this.#reader.write(piece));
    this.#offset += piece.length;
    this.#isInLine = piece[piece.length - 1] !== LF;
    if (this.#isInLine) return;
    this.#line++;
    if (this.#isBad) this.#reader = this.#newReader();
    this.#isBad = false;
  }

  end(): void {
    // Behind a bad line there need not be another one.
    if (this.#isInLine ? !this.#isBad : this.errors.length === 0) {
      this.#try(() => this.#reader.end());
    }
  }

  #try(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!isBadFile(error)) throw error;
      this.errors.push(error);
      this.#isBad = true;
    }
  }

  #newReader(): JsonLines {
    const place = { path: this.#path, text: this.#text, offset: this.#offset, line: this.#line };
    return new JsonLines({ add: () => {} }, { ...place, fields: this.#fields });
  }
}
