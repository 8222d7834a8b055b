import { dirname, join } from 'node:path';
import type { Logger } from '../log.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import { isMap, type ServedTable, type StorageParts } from '../storage/table.ts';
import type { Standing } from './admission.ts';
import type { EventLog } from './events.ts';
import { HeldTables, type HeldTablesOptions } from './held-tables.ts';
import { infoOf, type LoadedFile, type LoadedSlot, type Seconds } from './loaded.ts';
import { servingLine } from './report.ts';
import type { SlotFile } from './scrub.ts';
import { type MapRecord, nameForServing, removeServingName } from './slot-map.ts';
import {
  type FilledSlot,
  leastNeededSlot,
  newestGeneration,
  otherSlot,
  type SlotName,
  slotPath,
} from './slots.ts';
import type { Serving } from './status.ts';

export interface GenerationsOptions extends HeldTablesOptions {
  /** Folder of the two slots. */
  readonly baseDir: string;
  /**
   * Puts a table into service; resolves when no thread serves the old one.
   *
   * @param keepsPrevious A thread that has the old one to itself is to keep it.
   */
  readonly swap: (table: StorageParts, info: DataSetInfo, keepsPrevious: boolean) => Promise<void>;
  readonly logger: Logger;
}

/** Knows which generation serves, from which slot, and what slot and number the next one gets. */
export class Generations {
  readonly #options: GenerationsOptions;
  readonly #events: EventLog;
  readonly #held: HeldTables;
  #standing: Standing | undefined;
  #map: MapRecord | undefined;
  /** Of the serving generation: it is in memory, and its file is damaged. */
  #fileFault: string | undefined;
  #servingSlot: SlotName | undefined;
  #nextSlot: SlotName = 'data00';
  /** The highest number that was ever given. */
  #newest = 0;
  /** The name under which a map serves. */
  #servingName: string | undefined;

  constructor(options: GenerationsOptions, events: EventLog) {
    this.#options = options;
    this.#events = events;
    this.#held = new HeldTables(options);
  }

  /** What a new file is measured against. */
  get standing(): Standing | undefined {
    return this.#standing;
  }

  get serving(): Serving | undefined {
    if (this.#standing === undefined || this.#servingSlot === undefined) return undefined;
    const { generation } = this.#standing.info;
    const fileFault = this.#fileFault;
    return { slot: this.#servingSlot, generation, ...(fileFault && { fileFault }) };
  }

  /** The slot that does not serve. */
  get nextSlot(): SlotName {
    return this.#nextSlot;
  }

  get nextNumber(): number {
    return this.#newest + 1;
  }

  /** Where the serving generation lies. */
  get slotFile(): SlotFile | undefined {
    if (this.#standing === undefined || this.#servingSlot === undefined) return undefined;
    const { generation, md5 } = this.#standing.info;
    const path = slotPath(this.#options.baseDir, this.#servingSlot);
    const { file, md5: mapMd5 } = this.#map ?? {};
    const map = file && mapMd5 ? { path: join(dirname(path), file), md5: mapMd5 } : undefined;
    return { generation, md5, path, map };
  }

  /** A scrub has found the file of a generation damaged. */
  noteFileFault(generation: number, text: string): void {
    if (this.#standing?.info.generation === generation) this.#fileFault = text;
    this.#events.add('damaged', text);
  }

  /** Goes on from what an earlier process has left. @param slots What `readSlots` gave. */
  async resume(slots: readonly FilledSlot[]): Promise<void> {
    this.#newest = await newestGeneration(this.#options.baseDir);
    this.#nextSlot = leastNeededSlot(slots);
  }

  /** Whatever comes now, this number belongs to the data that was given it. */
  use(generation: number): void {
    this.#newest = Math.max(this.#newest, generation);
  }

  /** Of three data sets in memory one would be too many. */
  releasePrevious(): Promise<void> {
    return this.#held.releasePrevious();
  }

  /** What a slot holds, if it need not be loaded. */
  held({ name, md5 }: FilledSlot): Promise<LoadedFile | undefined> {
    return this.#held.find(name, md5);
  }

  /**
   * Puts a generation into service.
   *
   * @param seconds Those of the stages before.
   * @returns The seconds of all stages.
   */
  async switch(slot: SlotName, { record, result }: LoadedSlot, seconds: Seconds): Promise<Seconds> {
    const { logger } = this.#options;
    const { generation, md5, source, bytes } = record;
    const startMs = performance.now();
    const info = infoOf(record, result);
    const keepsPrevious = this.#held.giveWay(result.table);
    await this.#swap(await this.#located(slot, result), info, keepsPrevious);
    this.#stand(slot, info, bytes, result.map);
    const mapPath = this.#mapPath(slot, result);
    await this.#held.serves({ slot, generation, md5, result, mapPath });
    this.use(generation);
    const all = { ...seconds, switch: (performance.now() - startMs) / 1000 };
    const line = servingLine(slot, record, all);
    logger.info(line);
    this.#events.add('serving', line);
    for (const notice of result.notices) {
      logger.warn(`in generation ${generation} from ${source}: ${notice}`);
    }
    return all;
  }

  /** Goes over to what was loaded again, which is still to be swapped in. */
  async takeAgain(slot: SlotName, { record, result }: LoadedSlot): Promise<ServedTable> {
    const { generation, md5, bytes } = record;
    const info = infoOf(record, result);
    this.#stand(slot, info, bytes, result.map);
    const mapPath = this.#mapPath(slot, result);
    await this.#held.serves({ slot, generation, md5, result, mapPath });
    const text = `generation ${generation} is loaded again from slot ${slot}`;
    this.#events.add('loaded again', text);
    this.#options.logger.warn(text);
    return { table: await this.#located(slot, result), info };
  }

  /** Swaps in what `takeAgain` gave. */
  async swapAgain({ table, info }: ServedTable): Promise<void> {
    await this.#swap(table, info, false);
  }

  /** What `takeAgain` gave is swapped in by whoever asked for it. */
  async handOver({ table }: ServedTable): Promise<void> {
    await this.#keepName(isMap(table) ? table.path : undefined);
  }

  async close(): Promise<void> {
    await this.#held.releasePrevious();
    await this.#keepName(undefined);
  }

  #stand(slot: SlotName, info: DataSetInfo, fileBytes: number, map: MapRecord | undefined): void {
    this.#standing = { info, fileBytes };
    this.#map = map;
    this.#fileFault = undefined;
    this.#servingSlot = slot;
    this.#nextSlot = otherSlot(slot);
  }

  async #swap(table: StorageParts, info: DataSetInfo, keepsPrevious: boolean): Promise<void> {
    await this.#options.swap(table, info, keepsPrevious);
    await this.#keepName(isMap(table) ? table.path : undefined);
  }

  /** What is to be swapped in: a map with a name to open it by, which lasts until the next one. */
  async #located(slot: SlotName, result: LoadedFile): Promise<StorageParts> {
    const { table } = result;
    const path = this.#mapPath(slot, result);
    if (!isMap(table) || path === undefined) return table;
    return { ...table, path: await nameForServing(dirname(path), path) };
  }

  #mapPath(slot: SlotName, { map }: LoadedFile): string | undefined {
    return map && join(dirname(slotPath(this.#options.baseDir, slot)), map.file);
  }

  /** The name that a map served under before is of no use any more. */
  async #keepName(name: string | undefined): Promise<void> {
    const previous = this.#servingName;
    this.#servingName = name;
    if (previous !== undefined) await removeServingName(previous).catch(() => {});
  }
}
