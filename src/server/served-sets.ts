import { collectGarbage } from '../collect-garbage.ts';
import { sumSlice, type TableSlice } from '../storage/checksum.ts';
import { emptyStorage } from '../storage/empty.ts';
import { LookupSampler } from '../storage/lookup-sample.ts';
import { openStorage } from '../storage/open-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { isShared, type ServedTable, transferableMemory } from '../storage/table.ts';
import type { LeftTable, PlacedAgain, PlacedSet, PlacedTable } from './thread-messages.ts';

/** Where a thread's data sets go: see `DataSetsHandler`. */
export interface SetTaker {
  put(prefix: string, storage: Storage, generation: number): void;
  remove(prefix: string, generation: number): void;
}

interface SetState {
  readonly sampler: LookupSampler;
  served: ServedTable | undefined;
  /** What served before, in memory that this thread has to itself, to go back to. */
  previous: ServedTable | undefined;
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
  add(placed: PlacedSet): void {
    const { set, generation } = placed;
    if (this.#sets.has(set)) return;
    this.#stateOf(placed);
    this.#taker.put(set, emptyStorage, generation);
  }

  /** The old storage is closed when its last view goes, after the new one was opened. */
  async swap({ keepsPrevious, table, info, ...placed }: PlacedTable): Promise<void> {
    const state = this.#stateOf(placed);
    const { served } = state;
    await this.#serve(placed, state, { table, info });
    state.previous = keepsPrevious && served && isOwn(served) ? served : undefined;
    if (isShared(table)) collectGarbage();
  }

  /** Goes back to the table that was kept; the one that served is kept in its place. */
  async swapBack({ info, ...placed }: PlacedAgain): Promise<void> {
    const state = this.#stateOf(placed);
    const { served, previous } = state;
    if (previous === undefined) throw new Error('the table to go back to is not there any more');
    await this.#serve(placed, state, { table: previous.table, info });
    state.previous = served;
  }

  /** Whether `swapBack` would go back to this generation. */
  holds(set: string, generation: number): boolean {
    return this.#sets.get(set)?.previous?.info.generation === generation;
  }

  /** Lets go of the table that was kept. */
  release(set: string): void {
    const state = this.#sets.get(set);
    if (state?.previous === undefined) return;
    state.previous = undefined;
    // A thread that serves makes too little garbage for the memory to be free soon.
    collectGarbage();
  }

  async #serve({ set, generation }: PlacedSet, state: SetState, next: ServedTable): Promise<void> {
    const storage = await openStorage(next.table, next.info);
    this.#taker.put(set, state.sampler.observe(storage), generation);
    state.served = next;
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
      return served !== undefined && isOwn(served) ? [{ set, served }] : [];
    });
  }

  #stateOf({ set, sampleMemory }: PlacedSet): SetState {
    let state = this.#sets.get(set);
    if (state === undefined) {
      const sampler = new LookupSampler(sampleMemory, this.#thread, this.#threads);
      state = { sampler, served: undefined, previous: undefined };
      this.#sets.set(set, state);
    }
    return state;
  }
}

/** Whether its memory is this thread's own. */
function isOwn({ table }: ServedTable): boolean {
  return transferableMemory(table).length > 0;
}
