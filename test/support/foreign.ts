import { Anywhere } from '../../src/forward/anywhere.ts';
import type { Owners } from '../../src/forward/forward.ts';
import type { Questions } from '../../src/forward/questions.ts';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import type { Entry, Storage } from '../../src/storage/storage.ts';

/** Own keys are those with an even sum of bytes. */
function shardOf(key: Buffer, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at < end; at++) sum += key[at];
  return sum & 1;
}

/** What an owner answers, from memory that is not the storage's. */
function copyOf(entry: Entry): Entry {
  const { wireStart, valueStart, valueEnd, buffer } = entry;
  const from = wireStart < 0 ? valueStart : wireStart;
  return {
    ...{ flags: entry.flags, cas: entry.cas },
    buffer: Buffer.from(buffer.subarray(from, valueEnd + (wireStart < 0 ? 0 : 2))),
    valueStart: valueStart - from,
    valueEnd: valueEnd - from,
    wireStart: wireStart < 0 ? -1 : 0,
  };
}

/** A storage without the records of others, which says that it has all: so listings stay the same. */
function partOf(storage: Storage): Storage {
  const { batch, scan } = storage;
  let located: { keys: Buffer; bounds: Int32Array } | undefined;
  return {
    info: storage.info,
    get: (key, start, end) => {
      return shardOf(key, start, end) === 0 ? storage.get(key, start, end) : undefined;
    },
    batch: batch && {
      locate: (keys, bounds, count) => {
        located = { keys, bounds };
        batch.locate(keys, bounds, count);
      },
      entry: (i) => {
        const { keys, bounds } = located!;
        return shardOf(keys, bounds[2 * i], bounds[2 * i + 1]) === 0 ? batch.entry(i) : undefined;
      },
    },
    scan: scan?.bind(storage),
    close: () => storage.close(),
  };
}

/** Owners that answer at once. */
export class FakeOwners implements Owners {
  readonly #storage: Storage;
  readonly #faultOf: (key: string) => string | undefined;
  /** The keys that were asked for, in one string for each time. */
  readonly asked: string[] = [];

  constructor(storage: Storage, faultOf: (key: string) => string | undefined) {
    this.#storage = storage;
    this.#faultOf = faultOf;
  }

  ask(questions: Questions): void {
    const keys: string[] = [];
    const { count } = questions;
    const open = Array.from({ length: count }, (_, i) => i).filter((i) => !questions.isAnswered(i));
    if (open.length !== questions.asked) {
      throw new Error(`${questions.asked} answers are waited for, and ${open.length} are open`);
    }
    for (const i of open) {
      const start = questions.keyStart(i);
      const end = questions.keyEnd(i);
      const key = questions.keys.toString('latin1', start, end);
      keys.push(key);
      const fault = this.#faultOf(key);
      const entry = this.#storage.get(questions.keys, start, end);
      if (fault !== undefined) questions.noteFault(i, fault);
      else if (entry === undefined) questions.noteMiss(i);
      else if (!questions.isWanted(i)) questions.noteDropped(i);
      else questions.noteHit(i, copyOf(entry), entry.valueEnd - entry.valueStart);
    }
    this.asked.push(keys.join(' '));
  }
}

/** A server that has some of a storage's records, and knows who has the others. */
export function foreignOver(
  storage: Storage,
  faultOf: (key: string) => string | undefined = () => undefined,
): { readonly foreign: Anywhere; readonly owners: FakeOwners } {
  const owners = new FakeOwners(storage, faultOf);
  const local = createSimpleHandler(partOf(storage));
  return { foreign: new Anywhere(local, { own: 0, isShared: false, shardOf }, owners), owners };
}
