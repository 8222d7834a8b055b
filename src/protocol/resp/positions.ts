import type { View } from '../../handler/handler.ts';
import type { DataSetInfo, RecordVisitor } from '../../storage/storage.ts';
import { type Reply, TURN_WORK_MAX } from '../reply.ts';

/** From so many records to so many the storage's own cursor is kept. */
const STEP_RECORDS = 512;

/** So many records are passed over for a unit of work (see reply.ts), or so many bytes of keys. */
const RECORDS_A_UNIT = 4;
const KEY_BYTES_A_UNIT = 1024;

/** Places between the steps that are kept: those where the last scans stopped. */
const RECENT_MAX = 256;

/** A cursor is the generation's last bits and the number of records that were shown. */
const RECORDS_RANGE = 2 ** 36;
const GENERATIONS_RANGE = 2 ** 16;

/** What a scan shows records from. */
export type ScanView = View & { readonly scan: NonNullable<View['scan']> };

export function canScan(view: View): view is ScanView {
  return view.scan !== undefined;
}

/**
 * The places where scans go on, of one thread. A client's cursor may be of another generation, or
 * made up, and may come to another thread than the one that gave it; a storage trusts its own
 * cursors. So what a client gets counts records, and the storage's cursor is looked up here.
 *
 * A cursor stays below 2^53: some clients keep it in a double.
 */
export class ScanPositions {
  #info: DataSetInfo | undefined;
  /** The storage's cursor behind each STEP_RECORDS records. */
  #steps: number[] = [0];
  /** The storage's cursor behind so many records. */
  readonly #recent = new Map<number, number>();

  /**
   * Shows at most `limit` records, and passes over no more than a turn allows to reach the first. A
   * cursor of another generation begins with this one, so that whoever goes on to the end has seen
   * every key; some may come twice, as with Redis.
   *
   * @param reply Is charged for what is passed over, not for what is shown.
   * @returns The cursor to go on with; 0 when all were shown. It may be the same, with no record
   *   shown: then this thread has yet to pass over the records before it.
   */
  scan(
    view: ScanView,
    cursor: number,
    limit: number,
    visit: RecordVisitor,
    reply: Pick<Reply, 'charge'>,
  ): number {
    if (view.info !== this.#info) this.#begin(view.info);
    const generation = view.info.generation % GENERATIONS_RANGE;
    const isOfThis = Math.floor(cursor / RECORDS_RANGE) === generation;
    const from = isOfThis ? cursor % RECORDS_RANGE : 0;
    const next = from < view.info.keys ? this.#show(view, from, limit, visit, reply) : 0;
    return next === 0 ? 0 : generation * RECORDS_RANGE + next;
  }

  #begin(info: DataSetInfo): void {
    this.#info = info;
    this.#steps = [0];
    this.#recent.clear();
  }

  /** @returns How many records are behind; 0: all. */
  #show(
    view: ScanView,
    from: number,
    limit: number,
    visit: RecordVisitor,
    reply: Pick<Reply, 'charge'>,
  ): number {
    const step = Math.min(Math.floor(from / STEP_RECORDS), this.#steps.length - 1);
    const recent = this.#recent.get(from);
    let place = recent === undefined ? step * STEP_RECORDS : from;
    let cursor = recent ?? this.#steps[step];
    let passedWork = 0;
    let goesOn = true;
    while (goesOn && place < from + limit) {
      const bound = place < from ? from : from + limit;
      const wanted = Math.min(bound - place, STEP_RECORDS - (place % STEP_RECORDS));
      const isPassing = place < from;
      let shown = 0;
      cursor = view.scan(cursor, wanted, (key, start, end, entry) => {
        shown++;
        if (isPassing) passedWork += (end - start) / KEY_BYTES_A_UNIT;
        goesOn = isPassing ? passedWork < TURN_WORK_MAX : visit(key, start, end, entry) !== false;
        return goesOn;
      });
      // What the storage itself passed over cost as much.
      if (isPassing || goesOn) passedWork += (isPassing ? wanted : wanted - shown) / RECORDS_A_UNIT;
      if (cursor === 0) break;
      place += shown;
      this.#keep(place, cursor);
      goesOn &&= passedWork < TURN_WORK_MAX;
    }
    reply.charge(passedWork);
    if (cursor === 0) return 0;
    this.#remember(place, cursor);
    // Records that were only passed over are still to be shown.
    return Math.max(place, from);
  }

  #keep(place: number, cursor: number): void {
    const step = place / STEP_RECORDS;
    if (step === this.#steps.length) this.#steps.push(cursor);
  }

  #remember(place: number, cursor: number): void {
    const recent = this.#recent;
    recent.delete(place);
    recent.set(place, cursor);
    if (recent.size > RECENT_MAX) recent.delete(recent.keys().next().value!);
  }
}
