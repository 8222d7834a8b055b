import type { Database, RootDatabase } from 'lmdb';
import { GoromdbError } from '../errors.ts';
import {
  fitsMap,
  HEAD_BYTES,
  KIND_INLINE,
  KIND_PARTS,
  OTHERS_NAME,
  otherKey,
  PART_BYTES,
  partKey,
  RECORDS_NAME,
  setPartNumber,
} from '../storage/map-format.ts';
import { KEY_BYTES_MAX, type RecordSink, VALUE_BYTES_MAX } from '../storage/scanners/scanner.ts';
import { SortedRuns } from './sorted-runs.ts';
import { unstoppable, unstoppableLoad } from './unstoppable.ts';

/** Bytes of records that are written in one transaction. */
const BATCH_BYTES = 16 * 1024 * 1024;
const BATCH_RECORDS = 50_000;

/**
 * Records that come late, as a share of those in the tree: beyond this it is filled anew, which takes
 * twice the time. A page that is full and gets another record becomes two half full ones: one late
 * record in a thousand made a map larger by 7%, one in a hundred by 59%.
 */
const LATE_SHARE_MAX = 1 / 200;

type Binary = Database<Buffer, Buffer>;

interface PendingPut {
  readonly database: Binary;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly append: boolean;
}

const OPTIONS = { keyEncoding: 'binary', encoding: 'binary', cache: false } as const;

/**
 * Writes the records of a file as a map: see map-format.ts. Records that come in the order of their
 * keys go straight into the tree; from the first that does not, they are sorted on disk before. Either
 * way the tree is filled in order, which leaves its pages full: a million records of 100 bytes took
 * 137 MB in any order, and 252 MB when those that came late were put between the others.
 */
export class MapWriter implements RecordSink {
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #records: Binary;
  readonly #others: Binary;
  readonly #openScratch: () => number;
  readonly #onBatch: () => void;
  /** Records that were added, those whose keys came before too. */
  records = 0;
  #runs: SortedRuns | undefined;
  /** The greatest key in the tree. */
  #greatest: Buffer | undefined;
  /** Records that were written, those whose keys came before too. */
  #inTree = 0;
  #pending: PendingPut[] = [];
  #pendingBytes = 0;

  private constructor(
    root: RootDatabase<Buffer, Buffer>,
    openScratch: () => number,
    onBatch: () => void,
  ) {
    this.#root = root;
    this.#records = root.openDB(RECORDS_NAME, OPTIONS);
    this.#others = root.openDB(OTHERS_NAME, OPTIONS);
    this.#openScratch = openScratch;
    this.#onBatch = onBatch;
  }

  /**
   * @param path File to make; there is none.
   * @param openScratch Opens a file that goes when it is closed; the caller closes it.
   * @param onBatch Told before records are written; it may throw to stop.
   */
  static async create(
    path: string,
    openScratch: () => number,
    onBatch: () => void,
  ): Promise<MapWriter> {
    const { open } = await unstoppableLoad(() => import('lmdb'));
    return unstoppable(() => {
      const root: RootDatabase<Buffer, Buffer> = open({
        ...OPTIONS,
        path,
        noSubdir: true,
        maxDbs: 2,
        pageSize: 4096,
        // The whole file is flushed once, at the end.
        noSync: true,
        overlappingSync: false,
      });
      return new MapWriter(root, openScratch, onBatch);
    });
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
    this.records++;
    const valueBytes = valueEnd - valueStart;
    if (keyEnd - keyStart > KEY_BYTES_MAX)
      throw tooLarge('a key', keyEnd - keyStart, KEY_BYTES_MAX);
    if (valueBytes > VALUE_BYTES_MAX) throw tooLarge('a value', valueBytes, VALUE_BYTES_MAX);
    const ownKey = Buffer.from(key.buffer, key.byteOffset + keyStart, keyEnd - keyStart);
    const ownValue = Buffer.from(value.buffer, value.byteOffset + valueStart, valueBytes);
    const payload = valueBytes > PART_BYTES ? this.#putParts(ownKey, ownValue) : ownValue;
    const kind = payload === ownValue ? KIND_INLINE : KIND_PARTS;
    if (fitsMap(ownKey.length)) {
      this.#addRecord(ownKey, withHead(kind, flags, payload));
      return;
    }
    const keyBytes = Buffer.alloc(4);
    keyBytes.writeUInt32LE(ownKey.length);
    const rest = Buffer.concat([keyBytes, ownKey, payload]);
    this.#put(this.#others, otherKey(ownKey), withHead(kind, flags, rest), false);
  }

  /**
   * Writes what is left, and closes the map.
   *
   * @returns The number of distinct keys.
   */
  async finish(): Promise<number> {
    if (this.#runs !== undefined) this.#merge(this.#runs);
    this.#flush();
    const inRecords = countOf(this.#records);
    const inOthers = this.#others.getKeysCount({ start: Buffer.from('k'), end: Buffer.from('l') });
    await this.close();
    return inRecords + inOthers;
  }

  async close(): Promise<void> {
    await unstoppable(() => this.#root.close());
  }

  #addRecord(key: Buffer, value: Buffer): void {
    const isNext = this.#greatest === undefined || Buffer.compare(key, this.#greatest) > 0;
    if (this.#runs === undefined && isNext) {
      this.#putInOrder(Buffer.from(key), value);
      return;
    }
    this.#runs ??= this.#beginRuns();
    this.#runs.add(key, value);
  }

  /** Takes along what came before, if nothing of it is in the tree yet. */
  #beginRuns(): SortedRuns {
    const runs = new SortedRuns(this.#openScratch(), this.#onBatch);
    if (this.#inTree > 0) return runs;
    this.#greatest = undefined;
    const others: PendingPut[] = [];
    for (const put of this.#pending) {
      if (put.database === this.#records) runs.add(put.key, put.value);
      else others.push(put);
    }
    this.#pending = others;
    return runs;
  }

  /** Puts the runs into the tree; see `LATE_SHARE_MAX`. */
  #merge(runs: SortedRuns): void {
    this.#flush();
    if (this.#inTree > 0 && runs.records > this.#inTree * LATE_SHARE_MAX) {
      runs.addOldest(this.#records.getRange());
      unstoppable(() => this.#records.clearSync());
      this.#greatest = undefined;
    }
    runs.merge((key, value) => this.#putInOrder(Buffer.from(key), Buffer.from(value)));
  }

  /** Keys come in ascending order, at first and once more from the runs. */
  #putInOrder(key: Buffer, value: Buffer): void {
    const append = this.#greatest === undefined || Buffer.compare(key, this.#greatest) > 0;
    if (append) this.#greatest = key;
    this.#put(this.#records, key, value, append);
  }

  /** @returns What stands in the record in place of the value: its length. */
  #putParts(key: Buffer, value: Buffer): Buffer {
    const part = partKey(key);
    for (let at = 0; at < value.length; at += PART_BYTES) {
      setPartNumber(part, at / PART_BYTES);
      const bytes = Buffer.from(value.subarray(at, at + PART_BYTES));
      this.#put(this.#others, Buffer.from(part), bytes, false);
    }
    const length = Buffer.alloc(4);
    length.writeUInt32LE(value.length);
    return length;
  }

  /** Takes key and value for its own. */
  #put(database: Binary, key: Buffer, value: Buffer, append: boolean): void {
    this.#pending.push({ database, key, value, append });
    this.#pendingBytes += key.length + value.length;
    if (this.#pendingBytes >= BATCH_BYTES || this.#pending.length >= BATCH_RECORDS) this.#flush();
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    this.#onBatch();
    const write = (): void => {
      for (const { database, key, value, append } of this.#pending) {
        // It throws when it cannot; what it returns tells of conditions, and there are none.
        database.putSync(key, value, { append });
        if (database === this.#records) this.#inTree++;
      }
    };
    unstoppable(() => this.#root.transactionSync(write));
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

function withHead(kind: number, flags: number, rest: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + rest.length);
  bytes[0] = kind;
  bytes.writeUInt32LE(flags, 1);
  rest.copy(bytes, HEAD_BYTES);
  return bytes;
}

function countOf(database: Binary): number {
  const { entryCount } = database.getStats() as { readonly entryCount: number };
  return entryCount;
}

function tooLarge(what: string, found: number, limit: number): GoromdbError {
  return new GoromdbError(
    'LIMIT_EXCEEDED',
    `${what} is too large: expected at most ${limit}, found ${found}`,
  );
}
