import { readSync, writeSync } from 'node:fs';

/** Bytes of records that are sorted in memory at a time. */
const RUN_BYTES = 64 * 1024 * 1024;

/** Records of a run at most: each takes some memory beside its bytes. */
const RUN_RECORDS_MAX = 1_000_000;

/** Bytes that are read of a run at a time, while all runs are merged. */
const READ_BYTES = 64 * 1024;

/** In front of each record: its key's length and its value's length. */
const HEAD_BYTES = 8;

/** Takes one record, lent for the call. */
export type Put = (key: Buffer, value: Buffer) => void;

/**
 * Sorts more records than fit into memory: parts of them in memory, which go to a file as sorted
 * runs and are merged from there. A tree that is filled in order is written once; filled in another
 * order, each record costs a page.
 */
export class SortedRuns {
  readonly #fd: number;
  readonly #onWrite: () => void;
  readonly #memory = Buffer.allocUnsafeSlow(RUN_BYTES);
  #offsets: number[] = [];
  #used = 0;
  #fileBytes = 0;
  /** The oldest first. */
  readonly #runs: { readonly start: number; readonly end: number }[] = [];
  /** Records that were added one by one. */
  records = 0;

  /**
   * @param fd A file to write to and read from; it is the caller's to close.
   * @param onWrite Told before records are written; it may throw to stop.
   */
  constructor(fd: number, onWrite: () => void) {
    this.#fd = fd;
    this.#onWrite = onWrite;
  }

  /** Adds a record: key and value must be far shorter than a run. */
  add(key: Buffer, value: Buffer): void {
    const bytes = HEAD_BYTES + key.length + value.length;
    if (this.#used + bytes > RUN_BYTES || this.#offsets.length === RUN_RECORDS_MAX) this.#spill();
    const at = this.#used;
    const memory = this.#memory;
    memory.writeUInt32LE(key.length, at);
    memory.writeUInt32LE(value.length, at + 4);
    key.copy(memory, at + HEAD_BYTES);
    value.copy(memory, at + HEAD_BYTES + key.length);
    this.#offsets.push(at);
    this.#used += bytes;
    this.records++;
  }

  /** Adds records that came before all others and are in the order of their keys. */
  addOldest(records: Iterable<{ readonly key: Buffer; readonly value: Buffer }>): void {
    const start = this.#fileBytes;
    const out = new Output(this.#fd, start, this.#onWrite);
    const head = Buffer.alloc(HEAD_BYTES);
    for (const { key, value } of records) {
      head.writeUInt32LE(key.length);
      head.writeUInt32LE(value.length, 4);
      out.write(head, 0, HEAD_BYTES);
      out.write(key, 0, key.length);
      out.write(value, 0, value.length);
    }
    this.#fileBytes = out.flush();
    this.#runs.unshift({ start, end: this.#fileBytes });
  }

  /** Gives all records in the order of their keys; of equal keys the last one only. */
  merge(put: Put): void {
    this.#spill();
    const heap = this.#runs.map(({ start, end }, age) => new Run(this.#fd, start, end, age));
    for (const run of heap) run.next();
    for (let i = (heap.length >> 1) - 1; i >= 0; i--) sink(heap, i);
    let last: Buffer | undefined;
    while (heap.length > 0) {
      const run = heap[0];
      // The youngest of equal keys comes first.
      if (last === undefined || !last.equals(run.key)) {
        put(run.key, run.value);
        last = Buffer.from(run.key);
      }
      if (!run.next()) {
        const end = heap.pop()!;
        if (heap.length === 0) return;
        heap[0] = end;
      }
      sink(heap, 0);
    }
  }

  #spill(): void {
    if (this.#offsets.length === 0) return;
    const memory = this.#memory;
    const keyEnd = (at: number): number => at + HEAD_BYTES + memory.readUInt32LE(at);
    // Records lie in the order in which they came: a larger offset is younger.
    const order = Uint32Array.from(this.#offsets).sort(
      (a, b) =>
        memory.compare(memory, b + HEAD_BYTES, keyEnd(b), a + HEAD_BYTES, keyEnd(a)) || b - a,
    );
    const start = this.#fileBytes;
    const out = new Output(this.#fd, start, this.#onWrite);
    for (const at of order) out.write(memory, at, keyEnd(at) + memory.readUInt32LE(at + 4));
    this.#fileBytes = out.flush();
    this.#runs.push({ start, end: this.#fileBytes });
    this.#offsets = [];
    this.#used = 0;
  }
}

/** Gathers small pieces into large writes. */
class Output {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafeSlow(1024 * 1024);
  #used = 0;
  #position: number;
  readonly #onWrite: () => void;

  constructor(fd: number, position: number, onWrite: () => void) {
    this.#fd = fd;
    this.#position = position;
    this.#onWrite = onWrite;
  }

  write(source: Buffer, start: number, end: number): void {
    if (this.#used + end - start > this.#buffer.length) this.flush();
    if (end - start > this.#buffer.length) {
      this.#writeAll(source, start, end);
      return;
    }
    this.#used += source.copy(this.#buffer, this.#used, start, end);
  }

  /** @returns The position behind all that was written. */
  flush(): number {
    this.#writeAll(this.#buffer, 0, this.#used);
    this.#used = 0;
    return this.#position;
  }

  #writeAll(source: Buffer, start: number, end: number): void {
    this.#onWrite();
    for (let at = start; at < end; ) {
      const written = writeSync(this.#fd, source, at, end - at, this.#position);
      at += written;
      this.#position += written;
    }
  }
}

/** Reads a run from its beginning to its end. */
class Run {
  key: Buffer = Buffer.alloc(0);
  value: Buffer = Buffer.alloc(0);
  /** The larger, the younger. */
  readonly age: number;
  readonly #fd: number;
  readonly #end: number;
  #position: number;
  #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  #at = 0;
  #filled = 0;

  constructor(fd: number, start: number, end: number, age: number) {
    this.#fd = fd;
    this.#position = start;
    this.#end = end;
    this.age = age;
  }

  /** Sets the fields to the next record, which holds good until the next call. */
  next(): boolean {
    if (this.#at === this.#filled && this.#position === this.#end) return false;
    this.#need(HEAD_BYTES);
    const keyBytes = this.#buffer.readUInt32LE(this.#at);
    const valueBytes = this.#buffer.readUInt32LE(this.#at + 4);
    const bytes = HEAD_BYTES + keyBytes + valueBytes;
    this.#need(bytes);
    const start = this.#at + HEAD_BYTES;
    this.key = this.#buffer.subarray(start, start + keyBytes);
    this.value = this.#buffer.subarray(start + keyBytes, start + keyBytes + valueBytes);
    this.#at += bytes;
    return true;
  }

  #need(bytes: number): void {
    if (this.#filled - this.#at >= bytes) return;
    const rest = this.#buffer.subarray(this.#at, this.#filled);
    const buffer =
      bytes > this.#buffer.length ? Buffer.allocUnsafeSlow(bytes + READ_BYTES) : this.#buffer;
    rest.copy(buffer);
    this.#filled = rest.length;
    this.#at = 0;
    this.#buffer = buffer;
    while (this.#filled < bytes) {
      const room = Math.min(buffer.length - this.#filled, this.#end - this.#position);
      const read = readSync(this.#fd, buffer, this.#filled, room, this.#position);
      if (read === 0) throw new Error('a sorted run ends early');
      this.#filled += read;
      this.#position += read;
    }
  }
}

/** Moves the run at `i` of a heap down to where it belongs. */
function sink(heap: Run[], i: number): void {
  for (let at = i; ; ) {
    const left = 2 * at + 1;
    let least = at;
    if (left < heap.length && comesFirst(heap[left], heap[least])) least = left;
    if (left + 1 < heap.length && comesFirst(heap[left + 1], heap[least])) least = left + 1;
    if (least === at) return;
    [heap[at], heap[least]] = [heap[least], heap[at]];
    at = least;
  }
}

function comesFirst(a: Run, b: Run): boolean {
  return (Buffer.compare(a.key, b.key) || b.age - a.age) < 0;
}
