import { setImmediate as nextTurn } from 'node:timers/promises';
import { longestValue } from '../loader/worker/value-limit.ts';
import { TableSearch } from '../storage/table/table-search.ts';
import { type RecordBatch, walkBlocks } from '../storage/table/table-walk.ts';
import type { FileRecord } from './find.ts';
import type { ReadOptions } from './inspect.ts';
import { type RecordTable, withTable } from './record-table.ts';

/**
 * The records of a file or a generation, as a server answers with them: each key once. A file that is
 * bad throws before the first one. Memory holds 11.4 bytes for each record while a table is made of a
 * file that is none, and a block of records.
 *
 * @param place `FILE`, `BASEDIR`, `BASEDIR@previous` or `BASEDIR@7`.
 * @throws GoromdbError as `Scanner.scan` when the file is bad; FILE_UNREADABLE, FILE_CHANGED, DISK_FULL,
 *   OUT_OF_MEMORY.
 * @example
 * for await (const { key, value } of readRecords('users.json')) console.log(`${key}: ${value}`);
 */
export async function* readRecords(
  place: string,
  options: ReadOptions = {},
): AsyncGenerator<FileRecord, void, void> {
  const handover = new Handover<readonly FileRecord[]>();
  const done = withTable(place, options, (table) => handOver(table, handover)).then(
    () => handover.end(),
    (error: unknown) => handover.end({ error }),
  );
  try {
    for (;;) {
      const block = await handover.take();
      if (block === undefined) return;
      yield* block;
    }
  } finally {
    handover.leave();
    await done;
  }
}

async function handOver(
  table: RecordTable,
  handover: Handover<readonly FileRecord[]>,
): Promise<void> {
  const { input, layout } = table;
  const isEachServed = layout.records === layout.keys;
  const own = isEachServed ? undefined : new TableSearch(input, layout, true);
  let block: FileRecord[] = [];
  const options = { valueBytesMax: longestValue() };
  for (const _ of walkBlocks(input, layout, options, (batch) => collect(batch, own, block))) {
    // Whoever takes them may never wait: timers and signals would not come round.
    await nextTurn();
    if (!(await handover.give(block))) return;
    block = [];
  }
}

/** Copies: what a batch has is lent, and a record is kept as long as the reader likes. */
function collect(batch: RecordBatch, own: TableSearch | undefined, block: FileRecord[]): void {
  const { bytes, keys, values, flags, segment, base, starts, count } = batch;
  for (let i = 0; i < count; i++) {
    const [start, end] = [keys[2 * i], keys[2 * i + 1]];
    const place = segment * 2 ** 32 + base + starts[i];
    if (own !== undefined && own.find(bytes, start, end) !== place) continue;
    const key = Buffer.from(bytes.subarray(start, end));
    const value = Buffer.from(bytes.subarray(values[2 * i], values[2 * i + 1]));
    block.push({ key, value, flags: flags[i] });
  }
}

/** Gives one thing after the other from one flow of work to another, which may leave early. */
class Handover<T> {
  #item: T | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isOver = false;
  #hasLeft = false;
  #wake: () => void = () => {};

  /** @returns false when nobody takes it any more. */
  async give(item: T): Promise<boolean> {
    this.#item = item;
    this.#wake();
    while (this.#item !== undefined && !this.#hasLeft) await this.#change();
    return !this.#hasLeft;
  }

  /** @returns undefined when there is nothing more. @throws what the other flow has thrown. */
  async take(): Promise<T | undefined> {
    while (this.#item === undefined && !this.#isOver) await this.#change();
    const item = this.#item;
    this.#item = undefined;
    this.#wake();
    if (item === undefined && this.#failure !== undefined) throw this.#failure.error;
    return item;
  }

  end(failure?: { readonly error: unknown }): void {
    this.#failure = failure;
    this.#isOver = true;
    this.#wake();
  }

  leave(): void {
    this.#hasLeft = true;
    this.#wake();
  }

  /** One of the two waits at a time. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
