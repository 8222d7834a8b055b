import { longestValue } from '../loader/worker/value-limit.ts';
import { TableSearch } from '../storage/table/table-search.ts';
import { type RecordBatch, walkTable } from '../storage/table/table-walk.ts';
import type { ReadOptions } from './inspect.ts';
import { type RecordTable, withTable } from './record-table.ts';

/** How many keys two files differ in. */
export interface Diff {
  /** Keys that only the new one has. */
  readonly added: number;
  /** Keys that only the old one has. */
  readonly removed: number;
  /** Keys with another value, or other client flags. */
  readonly changed: number;
  /** Keys that are the same in both. */
  readonly same: number;
}

export type Difference = 'added' | 'removed' | 'changed';

export interface DiffOptions extends ReadOptions {
  /**
   * Called with each key that differs: first what the new file has, in its order, then what was removed,
   * in the order of the old one. The key is lent for the call.
   */
  readonly onDifference?: ((what: Difference, key: Buffer) => void) | undefined;
}

/**
 * Compares the records of two files, each `FILE`, `BASEDIR`, `BASEDIR@previous` or `BASEDIR@7`, of any
 * format that the server reads. Both may be larger than memory, which holds 11.4 bytes for each record.
 *
 * @throws GoromdbError FILE_UNREADABLE, FILE_CHANGED, DISK_FULL, OUT_OF_MEMORY; as `Scanner.scan` when a
 *   file is bad; what `onDifference` throws.
 * @example
 * const { added, removed, changed } = await diffFiles('users-monday.db', 'users.db');
 */
export function diffFiles(
  oldFile: string,
  newFile: string,
  options: DiffOptions = {},
): Promise<Diff> {
  return withTable(oldFile, options, (before) =>
    withTable(newFile, options, async (after) => diffTables(before, after, options.onDifference)),
  );
}

/** `+1,204 −3 ~88,120`: added, removed, changed. */
export function diffText({ added, removed, changed }: Diff): string {
  const [plus, minus, other] = [added, removed, changed].map((n) => n.toLocaleString('en-US'));
  return `+${plus} \u2212${minus} ~${other}`;
}

/** As `diffFiles`. */
export function diffTables(
  before: RecordTable,
  after: RecordTable,
  onDifference: DiffOptions['onDifference'],
): Diff {
  const old = new TableSearch(before.input, before.layout, true);
  const counts = { added: 0, removed: 0, changed: 0, same: 0 };
  forEachServed(after, ({ bytes, keys, values, flags }, i) => {
    const [start, end] = [keys[2 * i], keys[2 * i + 1]];
    const isThere = old.find(bytes, start, end) >= 0;
    const isSame = isThere && isSameRecord(old, bytes, values[2 * i], values[2 * i + 1], flags[i]);
    const what = isSame ? 'same' : isThere ? 'changed' : 'added';
    counts[what]++;
    if (what !== 'same') onDifference?.(what, bytes.subarray(start, end));
  });
  counts.removed = before.layout.keys - counts.changed - counts.same;
  if (counts.removed > 0 && onDifference !== undefined) tellRemoved(before, after, onDifference);
  return counts;
}

function isSameRecord(
  { bytes: other, record }: TableSearch,
  bytes: Buffer,
  start: number,
  end: number,
  flags: number,
): boolean {
  return (
    record.flags === flags &&
    record.valueEnd - record.valueStart === end - start &&
    other.compare(bytes, start, end, record.valueStart, record.valueEnd) === 0
  );
}

function tellRemoved(
  before: RecordTable,
  after: RecordTable,
  onDifference: NonNullable<DiffOptions['onDifference']>,
): void {
  const now = new TableSearch(after.input, after.layout, true);
  forEachServed(before, ({ bytes, keys }, i) => {
    const [start, end] = [keys[2 * i], keys[2 * i + 1]];
    if (now.find(bytes, start, end) < 0) onDifference('removed', bytes.subarray(start, end));
  });
}

/** Visits the records that a server answers with: of those with one key the last. */
export function forEachServed(
  { input, layout }: RecordTable,
  visit: (batch: RecordBatch, i: number) => void,
): void {
  const isEachServed = layout.records === layout.keys;
  const own = isEachServed ? undefined : new TableSearch(input, layout, true);
  walkTable(input, layout, { valueBytesMax: longestValue() }, (batch) => {
    const { bytes, keys, segment, base, starts, count } = batch;
    for (let i = 0; i < count; i++) {
      const place = segment * 2 ** 32 + base + starts[i];
      if (own !== undefined && own.find(bytes, keys[2 * i], keys[2 * i + 1]) !== place) continue;
      visit(batch, i);
    }
  });
}
