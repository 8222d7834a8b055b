import { emptyStorage } from '../../storage/empty.ts';
import { type Asker, createLookupMemory, LookupCounts } from '../../storage/lookup-counts.ts';
import { createSampleMemory, LookupSampler } from '../../storage/lookup-sample.ts';
import type { Storage } from '../../storage/storage.ts';
import { openTableIn } from '../../storage/table/table.ts';
import { createDurationMemory, SetDurations } from '../metering/set-durations.ts';
import type { PlacedSet, PlacedTable, SetMemory } from './thread-messages.ts';

/** Where a thread's data sets go: see `DataSetsHandler`. */
export interface SetTaker {
  put(prefix: string, storage: Storage, generation: number): void;
  remove(prefix: string, generation: number): void;
}

/** Memory of a data set, for all threads. */
export function createSetMemory(threads: number): SetMemory {
  return {
    sampleMemory: createSampleMemory(threads),
    countMemory: createLookupMemory(threads),
    durationMemory: createDurationMemory(threads),
  };
}

/** What one thread serves: a data set, or several by prefix. */
export class ServedSets {
  readonly #taker: SetTaker;
  readonly #thread: number;
  readonly #threads: number;
  readonly #onRelease: (lease: number) => void;
  readonly #asker: Asker;
  readonly #samplers = new Map<string, LookupSampler>();

  /**
   * @param threads Of how many `thread` is one.
   * @param asker Who looks up keys now.
   * @param onRelease Called when nothing reads any more from a table that came by `swap`.
   */
  constructor(
    taker: SetTaker,
    thread: number,
    threads: number,
    asker: Asker,
    onRelease: (lease: number) => void,
  ) {
    this.#taker = taker;
    this.#thread = thread;
    this.#threads = threads;
    this.#asker = asker;
    this.#onRelease = onRelease;
  }

  /** From now on its keys are misses, as long as it has no data. */
  add(placed: PlacedSet): void {
    if (this.#samplers.has(placed.set)) return;
    this.#put(placed, emptyStorage);
  }

  /**
   * The old storage is closed when its last view goes, after the new one was opened. Also of a table
   * that could not be put into service `onRelease` is called when nothing reads from it.
   */
  async swap({ table, info, lease, ...placed }: PlacedTable): Promise<void> {
    const onFree = (): void => this.#onRelease(lease);
    const storage = await openTableIn(table, info, onFree).catch((error: unknown) => {
      onFree();
      throw error;
    });
    try {
      this.#put(placed, storage);
    } catch (error) {
      storage.close();
      throw error;
    }
  }

  remove(set: string, generation: number): void {
    this.#samplers.delete(set);
    this.#taker.remove(set, generation);
  }

  /** To be called once a second. */
  tick(): void {
    for (const sampler of this.#samplers.values()) sampler.tick();
  }

  #put(placed: PlacedSet, storage: Storage): void {
    const durations = new SetDurations(placed.durationMemory, this.#thread);
    const counts = new LookupCounts(placed.countMemory, this.#thread, this.#asker, durations);
    const observed = this.#samplerOf(placed).observe(storage, counts);
    this.#taker.put(placed.set, observed, placed.generation);
  }

  #samplerOf({ set, sampleMemory }: PlacedSet): LookupSampler {
    let sampler = this.#samplers.get(set);
    if (sampler === undefined) {
      sampler = new LookupSampler(sampleMemory, this.#thread, this.#threads);
      this.#samplers.set(set, sampler);
    }
    return sampler;
  }
}
