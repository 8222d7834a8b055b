import type { RefusedWrites } from '../../common/status.ts';
import { WRITES } from '../../protocol/resp/writes.ts';
import { WRITE_COMMANDS } from '../../protocol/writes.ts';
import { ASKERS, type Asker } from '../../storage/lookup-counts.ts';

/** All commands that write, and those of a protocol that somebody else has made. */
const OTHER = 'other';
const COMMANDS = [...new Set([...WRITE_COMMANDS, ...WRITES.map(({ name }) => name), OTHER])];
const PLACES: ReadonlyMap<string, number> = new Map(COMMANDS.map((name, at) => [name, at]));

/** Words of memory that a thread's counts take. */
export const REFUSAL_WORDS = ASKERS.length * COMMANDS.length;

/** Counts one thread's refused writes by protocol and command. */
export class RefusalCounts {
  readonly #words: Float64Array;
  readonly #asker: Asker;

  constructor(words: Float64Array, asker: Asker) {
    this.#words = words;
    this.#asker = asker;
  }

  count(command: string): void {
    const place = PLACES.get(command) ?? COMMANDS.length - 1;
    this.#words[this.#asker.at * COMMANDS.length + place]++;
  }
}

/** What threads have refused. */
export function readRefusals(threads: readonly Float64Array[]): readonly RefusedWrites[] {
  return ASKERS.flatMap((protocol, asker) =>
    COMMANDS.flatMap((command, place) => {
      const at = asker * COMMANDS.length + place;
      const count = threads.reduce((sum, words) => sum + words[at], 0);
      return count === 0 ? [] : [{ protocol, command, count }];
    }),
  );
}
