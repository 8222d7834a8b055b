import { collectGarbage } from '../collect-garbage.ts';
import { sumSlice, type TableSlice } from '../storage/checksum.ts';
import { emptyStorage } from '../storage/empty.ts';
import { LookupSampler } from '../storage/lookup-sample.ts';
import { openStorage } from '../storage/open-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { isShared, type ServedTable, transferableMemory } from '../storage/table.ts';
import type { LeftTable, PlacedSet, PlacedTable } from './thread-messages.ts';

/** Where a thread's data sets go: see `DataSetsHandler`. */
export interface SetTaker {
  put(prefix: string, storage: Storage, generation: number): void;
  remove(prefix: string, generation: number): void;
}

interface SetState {
  readonly sampler: LookupSampler;
  served: ServedTable | undefined;
}

/** What one thread serves: a data set, or several by prefix. */
export class ServedSets {
  readonly #taker: SetTaker;
  readonly #thread: number;
  readonly #threads: number;
  readonly #sets = new Map<string, SetState>();

  /** @param threads Of how many `thread` is one. */
  constructor(taker: SetTaker, thread: number, threads: number) {
    this.#taker = taker;
    this.#thread = thread;
    this.#threads = threads;
  }

  /** From now on its keys are misses, as long as it has no data. */
  add({ set, sampleMemory, generation }: PlacedSet): void {
    if (this.#sets.has(set)) return;
    this.#stateOf(set, sampleMemory);
    this.#taker.put(set, emptyStorage, generation);
  }

  /** The old storage is closed when its last view goes, after the new one was opened. */
  async swap({ set, sampleMemory, generation, table, info }: PlacedTable): Promise<void> {
    const storage = await openStorage(table, info);
    const state = this.#stateOf(set, sampleMemory);
    this.#taker.put(set, state.sampler.observe(storage), generation);
    state.served = { table, info };
    if (isShared(table)) collectGarbage();
  }

  remove(set: string, generation: number): void {
    this.#sets.delete(set);
    this.#taker.remove(set, generation);
    collectGarbage();
  }

  /** See `sumSlice`. */
  sum(set: string, slice: TableSlice): number | undefined {
    return sumSlice(this.#sets.get(set)?.served, slice);
  }

  /** To be called once a second. */
  tick(): void {
    for (const { sampler } of this.#sets.values()) sampler.tick();
  }

  /** The tables whose memory this thread has to itself. */
  own(): readonly LeftTable[] {
    return [...this.#sets].flatMap(([set, { served }]) => {
      if (served === undefined || transferableMemory(served.table).length === 0) return [];
      return [{ set, served }];
    });
  }

  #stateOf(set: string, sampleMemory: SharedArrayBuffer): SetState {
    let state = this.#sets.get(set);
    if (state === undefined) {
      const sampler = new LookupSampler(sampleMemory, this.#thread, this.#threads);
      state = { sampler, served: undefined };
      this.#sets.set(set, state);
    }
    return state;
  }
}
