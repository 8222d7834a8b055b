import { basename } from 'node:path';
import { GoromdbError, messageOf, provesFileBad } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { NamespaceOptions } from '../storage/scanners/scanner.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import type { TableParts } from '../storage/table.ts';
import { see } from '../watcher/identity.ts';
import type { Drop, Verdict } from '../watcher/watcher.ts';
import { LoaderWorker } from './loader-worker.ts';
import { ProgressMemory, type Stage } from './progress.ts';
import { servingLine } from './report.ts';
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
  readonly namespaces?: NamespaceOptions | undefined;
  /** Make tables in memory that several threads can read. */
  readonly shared: boolean;
  /** Bytes that a table may take. */
  readonly bytesMax: number;
  /** Puts a table into service; resolves when no thread serves the old one. */
  readonly swap: (table: TableParts, info: DataSetInfo) => Promise<void>;
  readonly logger: Logger;
  /** Told when a load begins, with where to read its progress, and undefined when it has ended. */
  readonly onLoad?:
    | ((load: { path: string; progress: ProgressMemory } | undefined) => void)
    | undefined;
}

type Table = Extract<LoadResult, { kind: 'table' }>;
export type Seconds = Partial<Record<Stage, number>>;

/** Takes files into service: verify, scan, index, move into the idle slot, switch. */
export class Loader {
  readonly #options: LoaderOptions;
  readonly #worker = new LoaderWorker();
  #servingSlot: SlotName | undefined;
  #nextSlot: SlotName = 'data00';
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

  /** Ends the worker. No load may be under way. */
  close(): Promise<void> {
    return this.#worker.close();
  }

  /** Loads what the watcher found. Whatever is wrong with it, what was served is served on. */
  async load(drop: Drop, signal: AbortSignal): Promise<Verdict> {
    try {
      const result = await this.#run(drop.file, drop.md5, signal);
      if (result.kind !== 'table') return result;
      await this.#serve(drop, result, signal);
      return { kind: 'taken' };
    } catch (error) {
      if (isChange(error)) return { kind: 'changed' };
      if (!provesFileBad(error)) throw error;
      return this.#reject(drop, error);
    }
  }

  /** A crash may come after the file was moved and before its sum was removed. */
  async #removeLeftSum(drop: { file: string; sumFile: string }, md5: string): Promise<void> {
    // With a file beside it the sum belongs to a new drop, even if it is of the same content.
    if ((await see(drop.file)).kind !== 'absent') return;
    await removeSumOf(drop.sumFile, md5, basename(drop.file)).catch(() => {});
  }

  async #recoverSlot(slot: FilledSlot): Promise<void> {
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
    await this.#switch(slot.name, record, result, { ...result.seconds });
  }

  async #run(path: string, md5: string, signal?: AbortSignal): Promise<LoadResult> {
    const {
      scanner,
      gzipped,
      bucket,
      namespaces,
      shared,
      bytesMax,
      baseDir: scratchDir,
      onLoad,
    } = this.#options;
    const progress = new ProgressMemory();
    onLoad?.({ path, progress });
    try {
      const { memory } = progress;
      const how = { scanner, gzipped, bucket, namespaces, shared, bytesMax, scratchDir };
      return await this.#worker.run({ path, md5, ...how, progress: memory }, signal);
    } finally {
      onLoad?.(undefined);
    }
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
    { table, format, notices }: Table,
    seconds: Seconds,
  ): Promise<void> {
    const { generation, md5 } = record;
    const { keys, bytes } = table;
    const startMs = performance.now();
    await this.#options.swap(table, { generation, keys, bytes, md5, format, loadedAt: Date.now() });
    this.#servingSlot = slot;
    this.#nextSlot = otherSlot(slot);
    this.#generation = Math.max(this.#generation, generation);
    const all = { ...seconds, switch: (performance.now() - startMs) / 1000 };
    this.#options.logger.info(servingLine(slot, record, all));
    for (const notice of notices) {
      this.#options.logger.warn(`in generation ${generation} from ${record.source}: ${notice}`);
    }
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
