import { stat } from 'node:fs/promises';
import { collectGarbage } from '../collect-garbage.ts';
import { isHandedOver, isMap, isShared, type StorageParts } from '../storage/table.ts';
import { type FileIdentity, identityOf, sameContent } from '../watcher/identity.ts';
import type { LoadedFile } from './loaded.ts';
import { defaultTableBytesMax } from './memory.ts';
import type { KeepPrevious } from './rollback.ts';
import type { SlotName } from './slots.ts';

/** A generation that serves. */
export interface ServingTable {
  readonly slot: SlotName;
  readonly generation: number;
  readonly md5: string;
  readonly result: LoadedFile;
  /** The file in the slot that it is a map of. */
  readonly mapPath: string | undefined;
}

interface Held extends ServingTable {
  /** The file that is mapped, as it was when it began to serve; it had been proven before. */
  readonly identity: FileIdentity | undefined;
}

export interface HeldTablesOptions {
  readonly keepPrevious?: KeepPrevious | undefined;
  /** Bytes that a data set may take in memory. */
  readonly bytesMax: number;
  /** Whether the thread that serves has this generation still, beside the one that it serves. */
  readonly holds?: ((generation: number) => Promise<boolean>) | undefined;
  /** Has that thread let go of it. */
  readonly release?: (() => Promise<void>) | undefined;
}

/**
 * Keeps what is needed to go back to the generation before without loading it again: of a map where
 * it is, which costs nothing, and of others the table, beside the one that serves. Memory that is
 * shared with the serving threads is kept here; a thread that has its memory to itself keeps it there.
 */
export class HeldTables {
  readonly #options: HeldTablesOptions;
  #serving: Held | undefined;
  #previous: Held | undefined;

  constructor(options: HeldTablesOptions) {
    this.#options = options;
  }

  /**
   * Another table is about to take the place of the one that serves, which is let go of unless it is to
   * be kept: whoever swaps collects the garbage then.
   *
   * @returns Whether a table is to be kept.
   */
  giveWay(next: StorageParts): boolean {
    const before = this.#serving;
    const isKept = before !== undefined && this.#fitsBeside(before.result.table, next);
    this.#previous = isKept || (before && isMap(before.result.table)) ? before : undefined;
    this.#serving = undefined;
    return isKept;
  }

  #fitsBeside(before: StorageParts, next: StorageParts): boolean {
    const { keepPrevious = 'auto', bytesMax } = this.#options;
    if (keepPrevious !== 'auto') return keepPrevious === 'memory';
    // Maps take no memory that is not given back when it is needed.
    const bytes = [before, next].reduce((sum, one) => sum + (isMap(one) ? 0 : one.bytes), 0);
    // Two of the largest size serve and load at any time; so this is never more than that.
    return bytes <= Math.min(bytesMax, defaultTableBytesMax());
  }

  /** A table serves: the next one, or the same again because its memory was damaged. */
  async serves(table: ServingTable): Promise<void> {
    const { mapPath } = table;
    const identity = mapPath === undefined ? undefined : await identityAt(mapPath);
    this.#serving = { ...table, identity };
  }

  /** What a slot holds, if it is there still; a map must be the file that it was. */
  async find(slot: SlotName, md5: string): Promise<LoadedFile | undefined> {
    const held = this.#previous;
    if (held?.slot !== slot || held.md5 !== md5) return undefined;
    const { mapPath, result } = held;
    if (mapPath === undefined) return (await this.#isThere(held)) ? result : undefined;
    const identity = await identityAt(mapPath);
    const isAsBefore = identity && held.identity && sameContent(identity, held.identity);
    return isAsBefore ? result : undefined;
  }

  async #isThere({ generation, result }: Held): Promise<boolean> {
    if (!isHandedOver(result.table)) return true;
    return (await this.#options.holds?.(generation)) ?? false;
  }

  /** Lets go of the generation before, if it takes memory: the next one needs it. */
  async releasePrevious(): Promise<void> {
    const { table } = this.#previous?.result ?? {};
    if (table === undefined || isMap(table)) return;
    this.#previous = undefined;
    // What was handed over is the serving thread's to free. Collecting here too takes processor time
    // from it: p99 beside a load on two processors was 2.1 to 3.2 times the steady one, not 1.5 to 2.3.
    if (isShared(table)) collectGarbage();
    await this.#options.release?.();
  }
}

async function identityAt(path: string): Promise<FileIdentity | undefined> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined);
  return stats && identityOf(stats);
}
