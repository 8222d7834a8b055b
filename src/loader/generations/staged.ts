import { join } from 'node:path';
import { messageOf } from '../../common/errors.ts';
import { remove } from '../../common/files.ts';
import { emptySlot, install } from '../slots/install.ts';
import type { KeepPrevious } from '../slots/rollback.ts';
import { TABLE_INCOMING_NAME } from '../slots/slot-table.ts';
import { otherSlot, type SlotName } from '../slots/slots.ts';
import type { MadeTable } from '../worker/file-loads.ts';
import type { Admission } from './admission.ts';
import { removeOffer } from './left-offer.ts';
import { recordOf } from './loaded.ts';
import type { LoaderParts } from './loader-parts.ts';
import { settled } from './settled.ts';
import type { Offer, Verdict } from './source.ts';

/** What an offer is let in by, and what becomes of the generation before it. */
export interface OfferRules extends Admission {
  readonly keepPrevious?: KeepPrevious | undefined;
}

/** A table that may serve, in the slot that it was made in, under no name that lasts. */
export interface Candidate {
  readonly slot: SlotName;
  readonly generation: number;
  /** Its map belongs to the candidate. */
  readonly made: MadeTable;
}

/** An offer that is loaded and held, and serves when that is asked for. A crash leaves nothing of it. */
export class Staged {
  readonly kind = 'staged';
  readonly #parts: LoaderParts;
  readonly #rules: OfferRules;
  readonly #offer: Offer;
  readonly #candidate: Candidate;
  #isReleased = false;

  constructor(parts: LoaderParts, rules: OfferRules, offer: Offer, candidate: Candidate) {
    this.#parts = parts;
    this.#rules = rules;
    this.#offer = offer;
    this.#candidate = candidate;
  }

  /**
   * Moves the file into its slot, and swaps the table in. It is released, whatever happens.
   *
   * @param signal Stops a copy.
   * @returns `changed` also when it was released, or its slot serves by now: another load takes another.
   * @throws As `stageOffer`.
   */
  async switch(signal: AbortSignal): Promise<Verdict> {
    const { generations } = this.#parts;
    try {
      return await settled(this.#parts, this.#offer, signal, async () => {
        const isIdle = generations.nextSlot === this.#candidate.slot;
        if (this.#isReleased || !isIdle) return { kind: 'changed' };
        await this.#serve(signal);
        return { kind: 'taken' };
      });
    } finally {
      await this.release();
    }
  }

  /** Gives it up, unless it serves. Safe to call twice. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    const { slot, made } = this.#candidate;
    made.map.release();
    await removeIncoming(this.#parts.base.path, slot);
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { base, generations } = this.#parts;
    const { slot, generation, made } = this.#candidate;
    const { identity, isCopy, map } = made;
    const record = recordOf(generation, this.#offer, made);
    const startMs = performance.now();
    await base.check();
    await install(base.path, slot, { file: this.#offer.path, identity, record, isCopy }, signal);
    generations.use(generation);
    await removeOffer(base.path, this.#offer, slot, record);
    const seconds = { ...made.seconds, move: (performance.now() - startMs) / 1000 };
    const now = await generations.switch(slot, { record, map, seconds });
    this.#offer.tell({ state: 'serving', ...now });
    if (this.#rules.keepPrevious === 'no') await this.#emptyOther();
  }

  async #emptyOther(): Promise<void> {
    const { base, generations, logger } = this.#parts;
    const other = otherSlot(this.#candidate.slot);
    generations.releasePrevious();
    await emptySlot(base.path, other).catch((error: unknown) => {
      logger.warn(`slot ${other} could not be emptied (${messageOf(error)})`);
    });
  }
}

/** Removes a table that is not installed. */
export async function removeIncoming(baseDir: string, slot: SlotName): Promise<void> {
  await remove(join(baseDir, slot, TABLE_INCOMING_NAME)).catch(() => {});
}
