import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { GoromdbError, isRefusal, messageOf, provesFileBad } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { SampledLookup } from '../storage/lookup-sample.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import { openTable, type ServedTable, type TableParts } from '../storage/table.ts';
import { see } from '../watcher/identity.ts';
import type { Drop, Verdict } from '../watcher/watcher.ts';
import { canRename } from './folder.ts';
import { isForced, removeForceMark } from './force.ts';
import { checkGuards, type Guards } from './guards.ts';
import { LoaderWorker } from './loader-worker.ts';
import { ProgressMemory, type Stage } from './progress.ts';
import { servingLine } from './report.ts';
import { checkRoom } from './room.ts';
import type { SlotFile } from './scrub.ts';
import {
  type FilledSlot,
  install,
  leastNeededSlot,
  newestGeneration,
  otherSlot,
  prepareSlots,
  readSlots,
  removeDrop,
  removeSumOf,
  type SlotName,
  type SlotRecord,
  setAside,
  slotPath,
  writeRecord,
} from './slots.ts';
import type { LoadResult } from './worker.ts';

export interface LoaderOptions {
  /** Folder of the two slots. */
  readonly baseDir: string;
  /** Built-in name, or the URL of a module whose default export is a `Scanner`. */
  readonly scanner: string;
  readonly gzipped: boolean;
  readonly bucket: string | undefined;
  /** Make tables in memory that several threads can read. */
  readonly shared: boolean;
  /** Bytes that a table may take. */
  readonly bytesMax: number;
  /** Puts a table into service; resolves when no thread serves the old one. */
  readonly swap: (table: TableParts, info: DataSetInfo) => Promise<void>;
  /** What is asked of a dropped file; the slots are not asked. */
  readonly guards?: Guards | undefined;
  /** Milliseconds that the work on the smallest file may take. Default {@link LOAD_MS_MIN}. */
  readonly loadMsMin?: number | undefined;
  /** Lookups that clients made of late. */
  readonly sample?: (() => readonly SampledLookup[]) | undefined;
  readonly logger: Logger;
  /** Told when a load begins, with where to read its progress, and undefined when it has ended. */
  readonly onLoad?:
    | ((load: { path: string; progress: ProgressMemory } | undefined) => void)
    | undefined;
}

/**
 * How long the work on a file may take: some time for any, and more for each byte, at a rate a hundred
 * times slower than what is slow. A scanner that does not come to an end must not keep up all others.
 */
const LOAD_MS_MIN = 10 * 60 * 1000;
const LOAD_BYTES_PER_MS = 1_000;
/** Node's timers cannot wait longer. */
const TIMER_MS_MAX = 2 ** 31 - 1;

type Table = Extract<LoadResult, { kind: 'table' }>;
export type Seconds = Partial<Record<Stage, number>>;

/** Takes files into service: verify, scan, index, move into the idle slot, switch. */
export class Loader {
  readonly #options: LoaderOptions;
  readonly #worker = new LoaderWorker();
  #servingSlot: SlotName | undefined;
  #serving: { readonly info: DataSetInfo; readonly fileBytes: number } | undefined;
  #nextSlot: SlotName = 'data00';
  #work: Promise<unknown> = Promise.resolve();
  #generation = 0;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Makes the slots' folders. @throws GoromdbError FOLDER_UNUSABLE. */
  prepare(): Promise<void> {
    return prepareSlots(this.#options.baseDir);
  }

  /**
   * Puts the newest complete generation in the slots into service again, as at a start.
   *
   * @param drop Where new files come: a sum file that a crash left there is removed.
   * @returns Whether there was one.
   */
  async recover(drop: { readonly file: string; readonly sumFile: string }): Promise<boolean> {
    const { baseDir, logger } = this.#options;
    const refuse = (name: string, error: unknown): void =>
      logger.warn(`slot ${name} is not used: ${describe(error)}`);
    const slots = await readSlots(baseDir, refuse);
    this.#generation = await newestGeneration(baseDir);
    this.#nextSlot = leastNeededSlot(slots);
    for (const slot of slots) {
      try {
        await this.#recoverSlot(slot);
        await this.#removeLeftSum(drop, slot.md5);
        return true;
      } catch (error) {
        const generation =
          slot.record === undefined ? '' : ` (generation ${slot.record.generation})`;
        refuse(`${slot.name}${generation}`, error);
      }
    }
    return false;
  }

  /**
   * Loads the generation that serves once more, because its memory is lost or damaged. If its slot
   * is damaged too, the other slot's generation takes its place.
   *
   * @throws GoromdbError FILE_UNREADABLE when neither can be loaded.
   */
  async restore(lost: DataSetInfo): Promise<ServedTable> {
    const { baseDir, logger } = this.#options;
    const refuse = (name: string, error: unknown): void =>
      logger.error(`slot ${name} cannot be loaded again: ${describe(error)}`);
    const isLost = ({ record }: FilledSlot): boolean => record?.generation === lost.generation;
    const slots = await readSlots(baseDir, refuse);
    for (const slot of [...slots.filter(isLost), ...slots.filter((slot) => !isLost(slot))]) {
      try {
        const { record, result } = await this.#loadSlot(slot);
        this.#servingSlot = slot.name;
        this.#nextSlot = otherSlot(slot.name);
        const { generation, md5 } = record;
        const { keys, bytes } = result.table;
        const { format } = result;
        const loadedAt = isLost(slot) ? lost.loadedAt : Date.now();
        const info = { generation, keys, bytes, md5, format, loadedAt };
        this.#serving = { info, fileBytes: record.bytes };
        logger.warn(`generation ${generation} is loaded again from slot ${slot.name}`);
        return { table: result.table, info };
      } catch (error) {
        refuse(slot.name, error);
      }
    }
    const message = `generation ${lost.generation} is lost: no slot in ${baseDir} holds a sound file`;
    throw new GoromdbError('FILE_UNREADABLE', message);
  }

  /** Where the serving generation lies. */
  get slotFile(): SlotFile | undefined {
    if (this.#serving === undefined || this.#servingSlot === undefined) return undefined;
    const { generation, md5 } = this.#serving.info;
    return { generation, md5, path: slotPath(this.#options.baseDir, this.#servingSlot) };
  }

  /** Puts the generation that serves into service once more, because its memory is damaged. */
  heal(damaged: DataSetInfo): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#serving?.info.generation !== damaged.generation) return;
      const { table, info } = await this.restore(damaged);
      await this.#options.swap(table, info);
    });
  }

  /** Loading and healing happen one after the other: both decide what serves. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => {});
    return done;
  }

  /** Ends the worker. No load may be under way. */
  close(): Promise<void> {
    return this.#worker.close();
  }

  /** Loads what the watcher found. Whatever is wrong with it, what was served is served on. */
  load(drop: Drop, signal: AbortSignal): Promise<Verdict> {
    return this.#inTurn(() => this.#load(drop, signal));
  }

  async #load(drop: Drop, signal: AbortSignal): Promise<Verdict> {
    try {
      const forced = await isForced(drop);
      if (!forced) await this.#checkRoom(drop);
      const result = await this.#run(drop.file, drop.md5, signal);
      if (result.kind !== 'table') return result;
      this.#guard(drop, result, forced);
      await this.#serve(drop, result, signal);
      await removeForceMark(drop);
      return { kind: 'taken' };
    } catch (error) {
      if (isChange(error)) return { kind: 'changed' };
      if (!provesFileBad(error) && !isRefusal(error)) throw error;
      const verdict = await this.#reject(drop, error);
      if (verdict.kind === 'rejected') await removeForceMark(drop);
      return verdict;
    }
  }

  /** @throws GoromdbError DISK_FULL, OUT_OF_MEMORY. */
  async #checkRoom({ file, identity }: Drop): Promise<void> {
    const { baseDir, bytesMax } = this.#options;
    const slotFile = slotPath(baseDir, this.#nextSlot);
    const serving = this.#serving;
    const isMovable = await canRename(file, dirname(slotFile)).catch(() => true);
    await checkRoom({
      fileBytes: Number(identity.size),
      isCopied: !isMovable,
      slotFile,
      serving: serving && { fileBytes: serving.fileBytes, tableBytes: serving.info.bytes },
      tableBytesMax: bytesMax,
    });
  }

  /** @throws GoromdbError See `checkGuards`; not when the drop is forced. */
  #guard(drop: Drop, { table, format }: Table, forced: boolean): void {
    const { guards, sample = () => [], logger } = this.#options;
    if (guards === undefined) return;
    const { keys, bytes } = table;
    const generation = this.#generation + 1;
    const info = { generation, keys, bytes, md5: drop.md5, format, loadedAt: Date.now() };
    const candidate = openTable(table, info);
    try {
      checkGuards(guards, candidate, this.#serving?.info, sample);
    } catch (error) {
      if (!forced) throw error;
      logger.warn(
        `${drop.file} is served in spite of this, by its .force mark: ${describe(error)}`,
      );
    } finally {
      candidate.close();
    }
  }

  /** A crash may come after the file was moved and before its sum was removed. */
  async #removeLeftSum(drop: { file: string; sumFile: string }, md5: string): Promise<void> {
    // With a file beside it the sum belongs to a new drop, even if it is of the same content.
    if ((await see(drop.file)).kind !== 'absent') return;
    await removeSumOf(drop.sumFile, md5, basename(drop.file)).catch(() => {});
  }

  async #recoverSlot(slot: FilledSlot): Promise<void> {
    const { record, result } = await this.#loadSlot(slot);
    await this.#switch(slot.name, record, result, { ...result.seconds });
  }

  async #loadSlot(slot: FilledSlot): Promise<{ record: SlotRecord; result: Table }> {
    const result = await this.#run(slot.path, slot.md5);
    if (result.kind === 'mismatch') {
      const sums = `the slot's sum file says ${slot.md5}, the file has ${result.found}`;
      throw new GoromdbError('SUM_MISMATCH', `${slot.path} is damaged: ${sums}`);
    }
    if (result.kind === 'changed') {
      throw new GoromdbError('FILE_CHANGED', `${slot.path} is being written by another program`);
    }
    const record = slot.record ?? this.#record(slot.path, slot.md5, result);
    if (slot.record === undefined) await writeRecord(this.#options.baseDir, slot.name, record);
    return { record, result };
  }

  async #run(path: string, md5: string, signal?: AbortSignal): Promise<LoadResult> {
    const {
      scanner,
      gzipped,
      bucket,
      shared,
      bytesMax,
      baseDir: scratchDir,
      onLoad,
    } = this.#options;
    const progress = new ProgressMemory();
    onLoad?.({ path, progress });
    try {
      const { memory } = progress;
      const how = { scanner, gzipped, bucket, shared, bytesMax, scratchDir };
      const request = { path, md5, ...how, progress: memory };
      return await this.#worker.run(request, await this.#loadMsMax(path), signal);
    } finally {
      onLoad?.(undefined);
    }
  }

  async #loadMsMax(path: string): Promise<number> {
    const { loadMsMin = LOAD_MS_MIN } = this.#options;
    const size = await stat(path).then(
      (stats) => stats.size,
      () => 0,
    );
    return Math.min(TIMER_MS_MAX, loadMsMin + size / LOAD_BYTES_PER_MS);
  }

  async #serve(drop: Drop, result: Table, signal: AbortSignal): Promise<void> {
    const { baseDir, logger } = this.#options;
    const { identity } = result;
    const slot = this.#nextSlot;
    const record = this.#record(drop.file, drop.md5, result);
    const startMs = performance.now();
    await install(baseDir, slot, { file: drop.file, identity, record }, signal);
    await removeDrop(drop, identity).catch((error: unknown) => {
      logger.warn(
        `${drop.file} is taken, but cannot be removed (${messageOf(error)}): give this user write ` +
          'permission in its folder; until then it is loaded again at every start',
      );
    });
    const move = (performance.now() - startMs) / 1000;
    await this.#switch(slot, record, result, { ...result.seconds, move });
  }

  #record(source: string, md5: string, { table, format, identity }: Table): SlotRecord {
    return {
      generation: this.#generation + 1,
      md5,
      bytes: Number(identity.size),
      keys: table.keys,
      format,
      source,
      installedAt: new Date().toISOString(),
    };
  }

  async #switch(
    slot: SlotName,
    record: SlotRecord,
    { table, format }: Table,
    seconds: Seconds,
  ): Promise<void> {
    const { generation, md5 } = record;
    const { keys, bytes } = table;
    const startMs = performance.now();
    const info = { generation, keys, bytes, md5, format, loadedAt: Date.now() };
    await this.#options.swap(table, info);
    this.#serving = { info, fileBytes: record.bytes };
    this.#servingSlot = slot;
    this.#nextSlot = otherSlot(slot);
    this.#generation = Math.max(this.#generation, generation);
    const all = { ...seconds, switch: (performance.now() - startMs) / 1000 };
    this.#options.logger.info(servingLine(slot, record, all));
  }

  async #reject(drop: Drop, error: GoromdbError): Promise<Verdict> {
    const { logger, baseDir } = this.#options;
    const now =
      this.#servingSlot === undefined
        ? 'no data is served yet'
        : `generation ${this.#generation} from ${slotPath(baseDir, this.#servingSlot)} serves on`;
    const { message, code } = error;
    // Scanners name the file in front, others do not.
    const reason = message.startsWith(drop.file) ? message : `${drop.file}: ${message}`;
    const why = `rejected ${reason} (${code})`;
    try {
      await setAside(drop, drop.identity);
      logger.error(`${why}; set aside as ${drop.file}.rejected; ${now}`);
    } catch (cause) {
      if (isChange(cause)) return { kind: 'changed' };
      logger.error(`${why}; it could not be set aside (${messageOf(cause)}); ${now}`);
    }
    return { kind: 'rejected' };
  }
}

function isChange(error: unknown): boolean {
  return error instanceof GoromdbError && error.code === 'FILE_CHANGED';
}

/** Message and code of an error, as they are logged. */
function describe(error: unknown): string {
  const code = error instanceof GoromdbError ? ` (${error.code})` : '';
  return `${messageOf(error)}${code}`;
}
