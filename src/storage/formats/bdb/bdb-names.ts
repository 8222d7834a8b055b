import { NameList } from '../../scanners/name-list.ts';
import type { RecordSink } from '../../scanners/scanner.ts';

/** __db_master_update: the value of a name is the page number of its meta page. */
const PAGE_NUMBER_BYTES = 4;

/** Takes the names of the databases in a file, and remembers the one that was asked for. */
export class NameCollector implements RecordSink {
  /** Meta page of the database that was asked for. */
  found: number | undefined;
  /** Bytes of a value that is no page number. */
  wrongBytes: number | undefined;
  readonly names = new NameList();
  readonly #wanted: Buffer | undefined;
  readonly #onName: ((name: Buffer, page: number) => void) | undefined;

  /** @param onName Called with every database: its name, lent for the call, and its meta page. */
  constructor(bucket: string | undefined, onName?: (name: Buffer, page: number) => void) {
    this.#wanted = bucket === undefined ? undefined : Buffer.from(bucket);
    this.#onName = onName;
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
    this.names.add(name);
    // Big-endian, whatever the order of the file.
    const view = new DataView(value.buffer, value.byteOffset + valueStart, PAGE_NUMBER_BYTES);
    const page = view.getUint32(0);
    this.#onName?.(name, page);
    if (this.#wanted !== undefined && name.equals(this.#wanted)) this.found = page;
  }
}
