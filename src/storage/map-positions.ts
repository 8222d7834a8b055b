import type { Database } from 'lmdb';

/** From so many records to so many the key is kept, so that a cursor far back can be found again. */
const STEP_RECORDS = 16_384;

/** Places that are kept besides: those where the last walks stopped. */
const RECENT_MAX = 256;

/** In a map that the loader wrote, parts of values follow on the records in the second database. */
const OTHERS_END = Buffer.from('l');

type Keys = Pick<Database<Buffer, Buffer>, 'getKeys'>;

/** Is shown a key, and the number of the database that it is in. @returns false to stop behind it. */
export type KeyVisitor = (key: Buffer, database: number) => boolean | undefined;

/**
 * Walks the keys of a map in parts. LMDB goes on at a key, a caller at a number: the number of
 * records that were shown. What key that is, is kept here.
 */
export class MapPositions {
  readonly #databases: readonly Keys[];
  /** The place behind each STEP_RECORDS records. */
  readonly #steps: Place[] = [{ database: 0, key: undefined }];
  readonly #recent = new Map<number, Place>();

  constructor(databases: readonly Keys[]) {
    this.#databases = databases;
  }

  /** As `Storage.scan`. */
  walk(cursor: number, limit: number, visit: KeyVisitor): number {
    let { at, place } = this.#nearest(cursor);
    // Keys before the cursor are passed over, and one more than is asked for says where to go on.
    let end = cursor + limit;
    for (let { database, key } = place; database < this.#databases.length; database++) {
      for (const found of this.#keys(database, key, end - at + 1)) {
        place = { database, key: found };
        if (at % STEP_RECORDS === 0 && at / STEP_RECORDS === this.#steps.length) {
          this.#steps.push(place);
        }
        if (at === end) {
          this.#remember(at, place);
          return at;
        }
        if (at >= cursor && visit(found, database) === false) end = at + 1;
        at++;
      }
      key = undefined;
    }
    return 0;
  }

  /** All at once: an iterator that waits would hold a snapshot of its own. */
  #keys(database: number, start: Buffer | undefined, limit: number): readonly Buffer[] {
    const range = start === undefined ? { limit } : { start, limit };
    const end = database === 0 ? undefined : OTHERS_END;
    const keys = this.#databases[database].getKeys(end === undefined ? range : { ...range, end });
    return [...keys];
  }

  #nearest(cursor: number): { at: number; place: Place } {
    const recent = this.#recent.get(cursor);
    if (recent !== undefined) return { at: cursor, place: recent };
    const step = Math.min(Math.floor(cursor / STEP_RECORDS), this.#steps.length - 1);
    return { at: step * STEP_RECORDS, place: this.#steps[step] };
  }

  #remember(cursor: number, place: Place): void {
    const recent = this.#recent;
    recent.delete(cursor);
    recent.set(cursor, place);
    if (recent.size > RECENT_MAX) recent.delete(recent.keys().next().value!);
  }
}

interface Place {
  readonly database: number;
  /** undefined: its first. */
  readonly key: Buffer | undefined;
}
