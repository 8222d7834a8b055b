import { SLOTS, slotOf } from '../../shards/slots.ts';
import type { DataSetInfo } from '../../storage/storage.ts';
import { type Reply, TURN_WORK_MAX } from '../reply.ts';
import type { ScanView } from './positions.ts';

/** Keys of one slot that are shown at most. */
export const SLOT_KEYS_MAX = 5_000;

/** Bytes of them. */
export const SLOT_KEYS_BYTES_MAX = 256 * 1024;

/** Records that the storage shows in one go. */
const RECORDS_AT_ONCE = 256;

/** Looking at a record, and hashing its key, in units of work (see reply.ts); and bytes of keys. */
const RECORDS_A_UNIT = 4;
const KEY_BYTES_A_UNIT = 256;

/** Is shown a key in key[start, end). @returns Whether it wants to see more. */
type ShowKey = (key: Buffer, start: number, end: number) => boolean;

/**
 * Shows records until the others should have their turn. Records lie in no order of slots: whoever looks for
 * one has to see all.
 *
 * @param from The storage's cursor.
 * @returns The cursor to go on with; 0: all were shown.
 */
function showForATurn(view: ScanView, from: number, show: ShowKey, reply: Reply): number {
  let cursor = from;
  let work = 0;
  let goesOn = true;
  do {
    cursor = view.scan(cursor, RECORDS_AT_ONCE, (key, start, end) => {
      work += (end - start) / KEY_BYTES_A_UNIT;
      goesOn = show(key, start, end) && work < TURN_WORK_MAX;
      return goesOn;
    });
    work += RECORDS_AT_ONCE / RECORDS_A_UNIT;
  } while (cursor !== 0 && goesOn && work < TURN_WORK_MAX);
  reply.charge(work);
  return cursor;
}

/** How many keys each slot has: counted once for each generation and thread, when somebody asks. */
export class SlotCounts {
  #info: DataSetInfo | undefined;
  #counts = new Uint32Array(0);
  /** The storage's cursor; 0: all are counted. */
  #cursor = 0;

  /** @returns undefined: there is more to count, and the reply was charged for a turn. */
  goOn(view: ScanView, reply: Reply): Uint32Array | undefined {
    const isNew = view.info !== this.#info;
    if (isNew) {
      this.#info = view.info;
      this.#counts = new Uint32Array(SLOTS);
      this.#cursor = 0;
    }
    const counts = this.#counts;
    if (isNew || this.#cursor !== 0) {
      const count: ShowKey = (key, start, end) => {
        counts[slotOf(key, start, end)]++;
        return true;
      };
      this.#cursor = showForATurn(view, this.#cursor, count, reply);
    }
    return this.#cursor === 0 ? counts : undefined;
  }
}

/** The first keys of one slot, for one client. */
export class SlotSearch {
  readonly slot: number;
  readonly most: number;
  readonly info: DataSetInfo;
  readonly keys: Buffer[] = [];
  #bytes = 0;
  #cursor = 0;

  constructor(slot: number, most: number, info: DataSetInfo) {
    this.slot = slot;
    this.most = most;
    this.info = info;
  }

  get heldBytes(): number {
    return this.#bytes;
  }

  get isTooLong(): boolean {
    return this.keys.length > SLOT_KEYS_MAX || this.#bytes > SLOT_KEYS_BYTES_MAX;
  }

  /**
   * @param there How many keys the slot has.
   * @returns Whether it is over; if not, the reply was charged for a turn.
   */
  goOn(view: ScanView, there: number, reply: Reply): boolean {
    const wanted = Math.min(this.most, there);
    const isOver = (): boolean => this.keys.length >= wanted || this.isTooLong;
    if (isOver()) return true;
    const take: ShowKey = (key, start, end) => {
      if (slotOf(key, start, end) !== this.slot) return true;
      this.keys.push(Buffer.from(key.subarray(start, end)));
      this.#bytes += end - start;
      return !isOver();
    };
    this.#cursor = showForATurn(view, this.#cursor, take, reply);
    return this.#cursor === 0 || isOver();
  }
}
