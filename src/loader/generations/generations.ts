import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GoromdbError } from '../../common/errors.ts';
import { type FileIdentity, identityOf, sameContent } from '../../common/file-identity.ts';
import type { Logger } from '../../common/log.ts';
import { formatBytes, keysOf } from '../../common/quantities.ts';
import type { GenerationStatus, ServingStatus } from '../../common/status.ts';
import type { DataSetInfo } from '../../storage/storage.ts';
import type { TableMap } from '../../storage/table/table-map.ts';
import type { BaseFolder } from '../slots/base-folder.ts';
import type { EventLog } from '../slots/events.ts';
import { TABLE_NAME } from '../slots/slot-table.ts';
import {
  type FilledSlot,
  generationOf,
  leastNeededSlot,
  newestGeneration,
  otherSlot,
  type SlotName,
  type SlotRecord,
  slotPath,
} from '../slots/slots.ts';
import type { FileLoads, MadeTable } from '../worker/file-loads.ts';
import { type Seconds, STAGES } from '../worker/progress.ts';
import type { Baseline, OfferRules } from './admission.ts';
import type { SlotFile } from './scrub.ts';
import type { InService, Source } from './source.ts';

export interface GenerationsOptions {
  /** Folder of the two slots. */
  readonly baseDir: string;
  /** Puts a table into service; resolves when no thread serves the old one. */
  readonly swap: (map: TableMap, info: DataSetInfo) => Promise<void>;
  readonly logger: Logger;
}

/** A generation whose table is mapped. */
interface Held {
  readonly slot: SlotName;
  readonly record: SlotRecord;
  readonly map: TableMap;
  /** The table's file when it began to serve; undefined: it has no name. */
  readonly identity: FileIdentity | undefined;
}

/** Knows which generation serves, from which slot, and what slot and number the next one gets. */
export class Generations {
  readonly #options: GenerationsOptions;
  readonly #events: EventLog;
  #baseline: Baseline | undefined;
  /** What a scrub has found wrong with the dropped file, while the table made of it is sound. */
  #fileFault: string | undefined;
  #held: Held | undefined;
  /** What the stages of its load took. */
  #seconds: Seconds = {};
  /** The generation before: going back to it takes no look at its files. */
  #previous: Held | undefined;
  #nextSlot: SlotName = 'data00';
  /** The highest number that was ever given. */
  #newest = 0;

  constructor(options: GenerationsOptions, events: EventLog) {
    this.#options = options;
    this.#events = events;
  }

  /** What a new file is compared with. */
  get baseline(): Baseline | undefined {
    return this.#baseline;
  }

  get serving(): ServingStatus | undefined {
    if (this.#baseline === undefined || this.#held === undefined) return undefined;
    const { bytes: tableBytes, loadedAt: servedSinceMs } = this.#baseline.info;
    const generation = generationOf(this.#held.slot, this.#held.record);
    const fileFault = this.#fileFault;
    const loadSeconds = this.#seconds;
    return {
      ...{ ...generation, tableBytes, servedSinceMs, loadSeconds },
      ...(fileFault && { fileFault }),
    };
  }

  /** The generation before, if its table is mapped. */
  get previous(): GenerationStatus | undefined {
    return this.#previous && generationOf(this.#previous.slot, this.#previous.record);
  }

  /** The slot that does not serve. */
  get nextSlot(): SlotName {
    return this.#nextSlot;
  }

  get nextNumber(): number {
    return this.#newest + 1;
  }

  /**
   * @param number From outside; undefined: the next one. @throws GoromdbError LOADER_FAILED: it is
   * not new.
   */
  numberFor(number = this.nextNumber): number {
    if (number > this.#newest) return number;
    const message = `expected the number of a generation above ${this.#newest}, found ${number}`;
    throw new GoromdbError('LOADER_FAILED', message);
  }

  /** Where the serving generation lies. */
  get slotFile(): SlotFile | undefined {
    if (this.#baseline === undefined || this.#held === undefined) return undefined;
    const { generation, md5 } = this.#baseline.info;
    const path = slotPath(this.#options.baseDir, this.#held.slot);
    return { generation, md5, path, layout: this.#held.map.parts.layout };
  }

  /** A scrub has found the file of a generation damaged. */
  noteFileFault(generation: number, text: string): void {
    if (this.#baseline?.info.generation === generation) this.#fileFault = text;
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

  /**
   * The map of what a slot holds, if it is still there and nobody has written to its file. Whoever asks
   * holds it then.
   */
  async heldMap({ name, md5 }: FilledSlot): Promise<TableMap | undefined> {
    const held = this.#previous;
    if (held?.slot !== name || held.record.md5 !== md5) return undefined;
    const identity = await this.#identityIn(name);
    const isAsBefore = identity && held.identity && sameContent(identity, held.identity);
    // It may be another one by now.
    if (!isAsBefore || this.#previous !== held) return undefined;
    return held.map.hold();
  }

  /**
   * Holds the map of the generation before, which an earlier process served.
   *
   * @param map Released by whoever opened it, whatever happens.
   */
  async holdPrevious({ name: slot, record }: FilledSlot, map: TableMap): Promise<void> {
    if (this.#previous !== undefined || this.#held === undefined) return;
    if (this.#held.slot === slot || record === undefined) return;
    const identity = await this.#identityIn(slot);
    this.#previous = { slot, record, map: map.hold(), identity };
  }

  /** The slot of the generation before is about to be emptied: the disk gets its room back. */
  releasePrevious(): void {
    this.#previous?.map.release();
    this.#previous = undefined;
  }

  /**
   * Puts a generation into service, and holds its map from then on.
   *
   * @param loaded Its map is released by whoever loaded it, whatever happens.
   * @returns The serving generation, with the seconds of all stages.
   */
  async swap(slot: SlotName, loaded: LoadedSlot): Promise<InService> {
    const { logger } = this.#options;
    const { record } = loaded;
    const startMs = performance.now();
    await this.#swap(slot, loaded);
    this.use(record.generation);
    const seconds = { ...loaded.seconds, swap: (performance.now() - startMs) / 1000 };
    this.#seconds = seconds;
    const line = servingLine(slot, record, seconds);
    const { generation, source: path } = record;
    logger.info(line, { event: 'generation-serving', generation, path });
    this.#events.add('serving', line);
    for (const warning of record.warnings ?? []) {
      const fields = { event: 'data-warning', generation, path } as const;
      logger.warn(`in generation ${generation} from ${path}: ${warning}`, fields);
    }
    return { slot, record, seconds };
  }

  /** Puts a generation into service that was loaded again, since its table was damaged. */
  async swapAgain(slot: SlotName, loaded: LoadedSlot): Promise<void> {
    await this.#swap(slot, loaded);
    // The table that was damaged is not to go back to.
    this.releasePrevious();
    const text = `generation ${loaded.record.generation} is loaded again from slot ${slot}`;
    this.#events.add('loaded again', text);
    const { generation } = loaded.record;
    this.#options.logger.warn(text, { event: 'generation-reloaded', generation });
  }

  close(): void {
    this.releasePrevious();
    this.#held?.map.release();
    this.#held = undefined;
  }

  async #identityIn(slot: SlotName): Promise<FileIdentity | undefined> {
    const path = join(dirname(slotPath(this.#options.baseDir, slot)), TABLE_NAME);
    const stats = await stat(path, { bigint: true }).catch(() => undefined);
    return stats && identityOf(stats);
  }

  async #swap(slot: SlotName, { record, map }: LoadedSlot): Promise<void> {
    const info = infoOf(record, map);
    await this.#options.swap(map, info);
    const identity = await this.#identityIn(slot);
    this.releasePrevious();
    this.#previous = this.#held;
    this.#held = { slot, record, map: map.hold(), identity };
    this.#baseline = { info, fileBytes: record.bytes };
    this.#fileFault = undefined;
    this.#seconds = {};
    this.#nextSlot = otherSlot(slot);
  }
}

/** What a slot holds, ready to serve. Whoever loaded it holds its map. */
export interface LoadedSlot {
  readonly record: SlotRecord;
  readonly map: TableMap;
  readonly seconds: Seconds;
}

/** What the storage of a generation says of itself. */
export function infoOf(
  {
    generation,
    md5,
    format,
    installedAt,
  }: Pick<SlotRecord, 'generation' | 'md5' | 'format' | 'installedAt'>,
  { parts: { layout } }: TableMap,
): DataSetInfo {
  const { keys, bytes } = layout;
  return {
    ...{ generation, keys, bytes, md5, format },
    loadedAt: Date.now(),
    installedAt: Date.parse(installedAt),
  };
}

/** The record of a loaded file that becomes a generation now. @param name What its source calls it. */
export function recordOf(
  generation: number,
  { name: source, md5 }: { readonly name: string; readonly md5: string },
  { map, format, identity, part, recipe, headCrc32, notices }: MadeTable,
): SlotRecord {
  const { keys } = map.parts.layout;
  return {
    ...{ generation, md5, bytes: Number(identity.size), keys, format, source },
    installedAt: new Date().toISOString(),
    ...(notices.length > 0 && { warnings: notices }),
    ...{ part, table: { recipe, headCrc32 } },
  };
}

/** The one line that says that a generation serves, and what it took. */
function servingLine(slot: SlotName, record: SlotRecord, seconds: Seconds): string {
  const stages = STAGES.filter((stage) => seconds[stage] !== undefined)
    .map((stage) => `${stage} ${seconds[stage]!.toFixed(3)} s`)
    .join(', ');
  return (
    `generation ${record.generation} serves from slot ${slot}: ${keysOf(record.keys)}, ` +
    `${formatBytes(record.bytes)} of ${record.format}, md5 ${record.md5}; ${stages}`
  );
}

/** What a loader's jobs share; each part owns its state. */
export interface LoaderParts {
  readonly base: BaseFolder;
  readonly files: FileLoads;
  readonly generations: Generations;
  readonly source: Source;
  readonly rules: OfferRules;
  readonly events: EventLog;
  readonly logger: Logger;
}
