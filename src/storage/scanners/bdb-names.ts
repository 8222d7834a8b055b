import type { RecordSink } from './scanner.ts';

/** Most names of databases in an error message, and most characters of one. */
const NAMES_MAX = 10;
const NAME_CHARS_MAX = 64;
/** __db_master_update: the value of a name is the page number of its meta page. */
const PAGE_NUMBER_BYTES = 4;

/** Takes the names of the databases in a file, and remembers the one that was asked for. */
export class NameCollector implements RecordSink {
  count = 0;
  /** Meta page of the database that was asked for. */
  found: number | undefined;
  /** Bytes of a value that is no page number. */
  wrongBytes: number | undefined;
  readonly #names: string[] = [];
  readonly #wanted: Buffer | undefined;

  constructor(bucket: string | undefined) {
    this.#wanted = bucket === undefined ? undefined : Buffer.from(bucket);
  }

  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const name = Buffer.from(key.buffer, key.byteOffset + keyStart, keyEnd - keyStart);
    if (valueEnd - valueStart !== PAGE_NUMBER_BYTES) {
      this.wrongBytes = valueEnd - valueStart;
      return;
    }
    this.count++;
    if (this.#names.length < NAMES_MAX) this.#names.push(printable(name.toString()));
    if (this.#wanted === undefined || !name.equals(this.#wanted)) return;
    // Big-endian, whatever the order of the file.
    const view = new DataView(value.buffer, value.byteOffset + valueStart, PAGE_NUMBER_BYTES);
    this.found = view.getUint32(0);
  }

  list(): string {
    const more = this.count - this.#names.length;
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
