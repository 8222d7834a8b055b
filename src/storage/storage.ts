/**
 * A record that was found. One object is reused: it holds good until the next `get` of the same
 * storage. The bytes it points to do not change as long as the storage is open.
 */
export interface Entry {
  /** Memory that holds the value in [valueStart, valueEnd). */
  readonly buffer: Buffer;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** memcached client flags, an unsigned 32-bit number. */
  readonly flags: number;
  /** The unique number that `gets` reports: the generation that the record belongs to. */
  readonly cas: number;
  /**
   * Where `<key> <flags> <bytes>\r\n` begins in `buffer`, when that text stands right before the
   * value and `\r\n` right behind it; -1 when the storage does not keep records in wire form.
   */
  readonly wireStart: number;
}

/** What a data set is, for `stats`, logs and status. */
export interface DataSetInfo {
  /** Grows by one with each data set that was put into service; 0: none was yet. */
  readonly generation: number;
  readonly keys: number;
  /** Memory that the data set takes, in bytes. */
  readonly bytes: number;
  /** MD5 sum of the file it came from, in lower-case hex; empty when there is no file. */
  readonly md5: string;
  /** Format of that file. */
  readonly format: string;
  /** When it was loaded, in milliseconds since 1970. */
  readonly loadedAt: number;
}

/** A read-only set of records. Implement it to serve data of your own. */
export interface Storage {
  readonly info: DataSetInfo;
  /**
   * Finds a record by the key in key[start, end).
   *
   * @returns undefined when there is no such key. Only faults throw.
   */
  get(key: Buffer, start: number, end: number): Entry | undefined;
  /** Frees what the storage holds. Safe to call twice. No `get` may follow. */
  close(): void;
}
