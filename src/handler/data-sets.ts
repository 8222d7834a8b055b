import type { Batch, DataSetInfo, Entry, RecordVisitor, Storage } from '../storage/storage.ts';
import type { View, ViewSource } from './handler.ts';
import { Routes } from './routes.ts';
import { StorageView } from './storage-view.ts';

/** Data sets of one process at most: more would not fit into a cursor beside a place in a set. */
export const DATA_SETS_MAX = 32;

/** A cursor is the number of a data set and the cursor in that. Tables give them below 2^48. */
const CURSORS_RANGE = 2 ** 48;

const NO_KEYS = Buffer.alloc(0);
const NO_BOUNDS = new Int32Array(0);

/** A data set in service: its keys begin with the prefix and the delimiter. */
interface ServedSet {
  readonly prefix: string;
  readonly view: StorageView;
}

/**
 * Serves several storages, each under the prefix of its keys, which is in the storage's keys too:
 * so an entry is found, and sent, as it would be from one storage alone.
 */
export class DataSetsHandler implements ViewSource {
  readonly #delimiter: string;
  #current: DataSetsView;

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
    this.#current = new DataSetsView(this.#delimiter, [], 0);
  }

  view(): View {
    return this.#current.retain();
  }

  /**
   * Puts a storage into service under a prefix.
   *
   * @param generation What the data sets are numbered with from now on, all of them together.
   */
  put(prefix: string, storage: Storage, generation: number): void {
    const view = new StorageView(storage);
    this.#change([...this.#without(prefix), { prefix, view }], generation);
    // The view of all of them holds it from now on.
    view.release();
  }

  remove(prefix: string, generation: number): void {
    this.#change(this.#without(prefix), generation);
  }

  #without(prefix: string): readonly ServedSet[] {
    return this.#current.sets.filter((set) => set.prefix !== prefix);
  }

  #change(sets: readonly ServedSet[], generation: number): void {
    // In one order in all threads, whatever order they came in: cursors count on it.
    const ordered = sets.toSorted((a, b) => (a.prefix < b.prefix ? -1 : 1));
    const previous = this.#current;
    this.#current = new DataSetsView(this.#delimiter, ordered, generation);
    previous.release();
  }
}

/** The storages of one moment. */
class DataSetsView implements View {
  readonly info: DataSetInfo;
  readonly scan: View['scan'];
  readonly sets: readonly ServedSet[];
  readonly batch: Batch;
  readonly #routes: Routes<StorageView>;
  #users = 1;

  constructor(delimiter: string, sets: readonly ServedSet[], generation: number) {
    this.sets = sets;
    for (const { view } of sets) view.retain();
    this.#routes = new Routes(
      delimiter,
      sets.map(({ prefix, view }) => ({ prefix, target: view })),
    );
    this.batch = new DataSetsBatch(this.#routes);
    this.info = sumUp(sets, generation);
    if (sets.every(({ view }) => view.scan !== undefined)) this.scan = this.#scan.bind(this);
  }

  retain(): this {
    this.#users++;
    return this;
  }

  get(key: Buffer, start: number, end: number): Entry | undefined {
    return this.#routes.find(key, start, end)?.get(key, start, end);
  }

  release(): void {
    this.#users--;
    if (this.#users > 0) return;
    for (const { view } of this.sets) view.release();
  }

  /** One data set after the other. A key that leads to another data set than its own is left out. */
  #scan(cursor: number, limit: number, visit: RecordVisitor): number {
    let number = Math.floor(cursor / CURSORS_RANGE);
    let place = cursor % CURSORS_RANGE;
    let left = limit;
    for (; number < this.sets.length; number++) {
      const { view } = this.sets[number];
      place = view.scan!(place, left, (key, start, end, entry) => {
        if (this.#routes.find(key, start, end) !== view) return undefined;
        const goesOn = visit(key, start, end, entry) !== false;
        left = goesOn ? left - 1 : 0;
        return goesOn;
      });
      if (place !== 0) return number * CURSORS_RANGE + place;
      if (left === 0) break;
    }
    return number + 1 < this.sets.length ? (number + 1) * CURSORS_RANGE : 0;
  }
}

/** Most requests are for one data set. Keys of several are looked for one after the other. */
class DataSetsBatch implements Batch {
  readonly #routes: Routes<StorageView>;
  #keys: Buffer = NO_KEYS;
  #bounds: Int32Array = NO_BOUNDS;
  /** Of the one data set that all keys of the last `locate` lead to. */
  #batch: Batch | undefined;

  constructor(routes: Routes<StorageView>) {
    this.#routes = routes;
  }

  locate(keys: Buffer, bounds: Int32Array, count: number): void {
    this.#keys = keys;
    this.#bounds = bounds;
    this.#batch = this.#viewOfAll(keys, bounds, count)?.batch;
    this.#batch?.locate(keys, bounds, count);
  }

  #viewOfAll(keys: Buffer, bounds: Int32Array, count: number): StorageView | undefined {
    const view = this.#routes.find(keys, bounds[0], bounds[1]);
    for (let i = 1; i < count; i++) {
      if (this.#routes.find(keys, bounds[2 * i], bounds[2 * i + 1]) !== view) return undefined;
    }
    return view;
  }

  entry(i: number): Entry | undefined {
    if (this.#batch !== undefined) return this.#batch.entry(i);
    const start = this.#bounds[2 * i];
    const end = this.#bounds[2 * i + 1];
    return this.#routes.find(this.#keys, start, end)?.get(this.#keys, start, end);
  }
}

function sumUp(sets: readonly ServedSet[], generation: number): DataSetInfo {
  const infos = sets.map(({ view }) => view.info);
  const loaded = infos.filter((info) => info.generation > 0);
  const joined = (texts: readonly string[]): string => [...new Set(texts)].join('+');
  return {
    generation: loaded.length === 0 ? 0 : generation,
    keys: infos.reduce((sum, { keys }) => sum + keys, 0),
    bytes: infos.reduce((sum, { bytes }) => sum + bytes, 0),
    md5: '',
    format: loaded.length === 0 ? 'none' : joined(loaded.map(({ format }) => format)),
    loadedAt: Math.max(0, ...infos.map(({ loadedAt }) => loadedAt)),
    installedAt: Math.max(0, ...infos.map(({ installedAt = 0 }) => installedAt)),
    dataSets: new Map(sets.map(({ prefix }, i) => [prefix, infos[i]])),
  };
}
