import { stat } from 'node:fs/promises';
import { collectGarbage } from '../collect-garbage.ts';
import { isMap } from '../storage/table.ts';
import { type FileIdentity, identityOf, sameContent } from '../watcher/identity.ts';
import type { LoadedFile } from './loaded.ts';
import type { SlotName } from './slots.ts';

interface Held {
  readonly slot: SlotName;
  readonly md5: string;
  readonly result: LoadedFile;
  /** The file that is mapped, as it was when it began to serve; it had been proven before. */
  readonly map: { readonly path: string; readonly identity: FileIdentity | undefined } | undefined;
}

/**
 * Keeps what is needed to go back to the generation before without loading it again: of a map where
 * it is, which costs nothing, and of others the table, beside the one that serves. The memory of a
 * table is shared with the serving threads, so the one that serves is not there twice.
 */
export class HeldTables {
  readonly #keepsTables: boolean;
  #serving: Held | undefined;
  #previous: Held | undefined;

  constructor(keepsTables: boolean) {
    this.#keepsTables = keepsTables;
  }

  /**
   * A table serves; the one that served before it is the previous one now.
   *
   * @param mapPath The file in the slot that it is a map of.
   */
  async serves(slot: SlotName, md5: string, result: LoadedFile, mapPath?: string): Promise<void> {
    this.#previous = this.#serving;
    await this.mended(slot, md5, result, mapPath);
  }

  /** The table that serves was loaded again, because its memory was damaged. */
  async mended(slot: SlotName, md5: string, result: LoadedFile, mapPath?: string): Promise<void> {
    this.#serving = undefined;
    const map = mapPath ? { path: mapPath, identity: await identityAt(mapPath) } : undefined;
    if (this.#keepsTables || map !== undefined) this.#serving = { slot, md5, result, map };
  }

  /** What a slot holds, if it is there still; a map must be the file that it was. */
  async find(slot: SlotName, md5: string): Promise<LoadedFile | undefined> {
    const held = this.#previous;
    if (held?.slot !== slot || held.md5 !== md5) return undefined;
    const { map, result } = held;
    if (map === undefined) return result;
    const identity = await identityAt(map.path);
    const isAsBefore = identity && map.identity && sameContent(identity, map.identity);
    return isAsBefore ? result : undefined;
  }

  /** Lets go of the generation before, if it takes memory: the next one needs it. */
  releasePrevious(): void {
    if (this.#previous === undefined || isMap(this.#previous.result.table)) return;
    this.#previous = undefined;
    collectGarbage();
  }
}

async function identityAt(path: string): Promise<FileIdentity | undefined> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined);
  return stats && identityOf(stats);
}
