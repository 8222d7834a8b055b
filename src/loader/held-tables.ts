import { collectGarbage } from '../collect-garbage.ts';
import type { SlotName } from './slots.ts';
import type { LoadResult } from './worker.ts';

type Table = Extract<LoadResult, { kind: 'table' }>;

interface Held {
  readonly slot: SlotName;
  readonly md5: string;
  readonly result: Table;
}

/**
 * Keeps the table of the generation before beside the one that serves, so that going back to it takes
 * no load. The memory is shared with the serving threads, so the one that serves is not there twice.
 */
export class HeldTables {
  #serving: Held | undefined;
  #previous: Held | undefined;

  /** A table serves; the one that served before it is the previous one now. */
  serves(slot: SlotName, md5: string, result: Table): void {
    this.#previous = this.#serving;
    this.#serving = { slot, md5, result };
  }

  /** The table that serves was loaded again, because its memory was damaged. */
  mended(slot: SlotName, md5: string, result: Table): void {
    this.#serving = { slot, md5, result };
  }

  /** The table of what a slot holds, if it is there still. */
  find(slot: SlotName, md5: string): Table | undefined {
    const held = this.#previous;
    return held?.slot === slot && held.md5 === md5 ? held.result : undefined;
  }

  /** Lets go of the generation before: the next one needs its memory. */
  releasePrevious(): void {
    if (this.#previous === undefined) return;
    this.#previous = undefined;
    collectGarbage();
  }
}
