/**
 * What belongs in this folder: what answers a key: the `Storage` interface and the layout of a
 * record.
 */

/** Keeps memory that a storage has lent, after `close` too, until it is released. */
export interface Lease {
  retain(): void;
  release(): void;
}

/**
 * A record that was found. One object is reused: it is valid until the next `get` of the same
 * storage. The bytes it points to must never change, not even after `close`: a large value is sent
 * from where it lies, and a slow client may take its time.
 */
export interface Entry {
  /** Memory that holds the value in [valueStart, valueEnd). */
  readonly buffer: Buffer;
  /** The same memory as `buffer`, all of it: with it, small values are copied faster. */
  readonly view?: DataView | undefined;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** memcached client flags, an unsigned 32-bit number. */
  readonly flags: number;
  /** The unique number that `gets` reports: the generation that the record belongs to. */
  readonly cas: number;
  /**
   * Where `<key> <flags> <bytes>\r\n` begins in `buffer`, when that text is right before the
   * value and `\r\n` right behind it; -1 when the storage does not keep records in wire form.
   */
  readonly wireStart: number;
  /**
   * Whoever reads from `buffer` after the command is over retains it first: the memory may be unmapped
   * otherwise, and who touches it ends the process. Undefined: it is the garbage collector's. An entry
   * that is made of another one takes its lease along, or a large value is copied.
   */
  readonly lease?: Lease | undefined;
}

/** What a data set is, for `stats`, logs and status. */
export interface DataSetInfo {
  /** Grows by one with each data set that was put into service; 0: none was yet. */
  readonly generation: number;
  readonly keys: number;
  /** Size of the table, in bytes. */
  readonly bytes: number;
  /** MD5 of the file it came from, in lower-case hex; empty when there is no file. */
  readonly md5: string;
  /** Format of that file. */
  readonly format: string;
  /** When it was loaded, in milliseconds since 1970. */
  readonly loadedAt: number;
  /**
   * When it was installed as this generation, in milliseconds since 1970: a restart loads it again, and
   * does not install it. 0 before there is data. Undefined: a storage made by the library's user
   * need not have it.
   */
  readonly installedAt?: number | undefined;
  /**
   * Where several data sets are served as one: each, by the prefix of its keys; the one without
   * under the empty text. The fields above are then about all of them.
   */
  readonly dataSets?: ReadonlyMap<string, DataSetInfo>;
}

/**
 * Is shown one record: its key in key[start, end), and the entry. Both are lent for the call. The
 * visitor must not `get` or `scan` in the same storage meanwhile.
 *
 * @returns false to be shown no more in this `scan`. A user's storage may show more all the
 *   same; then the other clients wait longer when keys are long.
 */
export type RecordVisitor = (
  key: Buffer,
  start: number,
  end: number,
  entry: Entry,
) => boolean | undefined;

/** Keys that are looked for side by side at most. */
export const BATCH_KEYS_MAX = 16;

/** Finds several records side by side, which is faster than one after the other. */
export interface Batch {
  /**
   * Looks for `count` keys, at most {@link BATCH_KEYS_MAX}. Key number i lies in
   * keys[bounds[2 i], bounds[2 i + 1]); both stay as they are until the last `entry`.
   */
  locate(keys: Buffer, bounds: Int32Array, count: number): void;
  /**
   * What `get` would return for key number i of the last `locate`, valid as long. `get` may be called
   * between the two.
   */
  entry(i: number): Entry | undefined;
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
  /** For requests of several keys. A storage that has no faster way does without it. */
  readonly batch?: Batch | undefined;
  /**
   * Shows records, each key once, in an order of the storage's own. A storage that cannot does
   * without it, and commands that list keys are refused. It may show fewer than it is asked for, and
   * none, where many of its records are not to be shown.
   *
   * @param cursor 0 to begin with; then what the last call returned.
   * @param limit How many records to show at most, 1 or more.
   * @returns The cursor to go on with, a safe integer; 0 when all were shown.
   */
  scan?: ((cursor: number, limit: number, visit: RecordVisitor) => number) | undefined;
  /** Frees what the storage holds. Safe to call twice. No `get` or `scan` may follow. */
  close(): void;
}
