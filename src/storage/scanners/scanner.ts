/**
 * What belongs in this folder: what all scanners share: the `Scanner` and `Format` interfaces,
 * pages, checks of keys.
 */

/** What all scanners share: what a scanner is given, what it hands on, and how it reads pages. */

/** Longest key a data set may hold, in bytes. memcached clients can ask for at most 250. */
export const KEY_BYTES_MAX = 65_535;

/** Longest value a data set may hold, in bytes (512 MiB). */
export const VALUE_BYTES_MAX = 512 * 1024 * 1024;

/** Serve all named databases of a file at once, under keys with the name in front. */
export interface NamespaceOptions {
  /** Separates the name from the key, as in `users:42`. No name may contain it. */
  readonly delimiter: string;
}

/** How a record of JSON Lines is laid out. */
export interface FieldOptions {
  /** The names of the fields that hold its key and its value. */
  readonly key: string;
  readonly value: string;
  /** Whether it may have other fields, of any kind, which are passed over. Default: no. */
  readonly ignoreOthers?: boolean;
}

/** An open database file. The scanner reads it by position and never closes it. */
export interface ScanInput {
  /** Name for messages. */
  readonly path: string;
  /** File descriptor, open for reading. */
  readonly fd: number;
  /** Size in bytes when it was opened. A file that turns out shorter is corrupt. */
  readonly size: number;
}

export interface ScanOptions {
  /** The file is wrapped in gzip. */
  readonly gzipped: boolean;
  /** The named database to read; undefined: the main one. */
  readonly bucket?: string | undefined;
  /** Names of buckets inside of `bucket`, each inside of the one before; the last one is read. */
  readonly inner?: readonly string[] | undefined;
  /** For JSON Lines; undefined: `key` and `value`, and no others. */
  readonly fields?: FieldOptions | undefined;
  /**
   * Read all named databases, with their names in the keys; never together with `bucket`. A scanner
   * of a format without them throws FORMAT_UNSUPPORTED.
   */
  readonly namespaces?: NamespaceOptions | undefined;
  /** Longest value in bytes, where it is less than VALUE_BYTES_MAX: larger ones have no room. */
  readonly valueBytesMax?: number | undefined;
  /** Called now and then with how many bytes of the file are done. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** Called with what is not served, and what else the owner of a sound file should know. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /**
   * Called before each record with the byte of the text at which it begins. For formats in which a
   * key may come twice, so that a message can name the place.
   */
  readonly onRecord?: ((offset: number) => void) | undefined;
  /**
   * Called before the first record with a way to find out where in the file the record is that
   * is being added, as in `page 7, byte 28712`. For messages about single records.
   */
  readonly onLocator?: ((locate: () => string) => void) | undefined;
}

/**
 * Takes the records of a file. The bytes are lent for the call only: a scanner reuses its buffers.
 * Of two records with the same key the later one wins.
 */
export interface RecordSink {
  /**
   * @param key Memory that holds the key in [keyStart, keyEnd).
   * @param value Memory that holds the value in [valueStart, valueEnd).
   * @param flags memcached client flags, 0 unless the format stores them.
   */
  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    flags: number,
  ): void;
}

/**
 * Reads one file format. A dropped file is untrusted input: a scanner checks every length, offset
 * and page before it uses it, so that any sequence of bytes either yields records or throws a
 * `GoromdbError` (FORMAT_UNKNOWN, FORMAT_UNSUPPORTED, DATA_CORRUPT, LIMIT_EXCEEDED) that names the
 * place, what was expected and what was found. Time and memory are bounded by the file's size.
 */
export interface Scanner {
  /** Name as given to `-storage`. */
  readonly format: string;
  scan(input: ScanInput, options: ScanOptions, sink: RecordSink): Promise<void>;
}
