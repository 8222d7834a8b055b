import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GoromdbError, isRefusal, messageOf, messageWithCode, provesFileBad } from '../errors.ts';
import type { NamespaceOptions } from '../storage/scanners/scanner.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import { isMap, type ServedTable, type StorageParts } from '../storage/table.ts';
import type { Complaint } from '../watcher/complaints.ts';
import { see } from '../watcher/identity.ts';
import type { Drop, Verdict } from '../watcher/watcher.ts';
import { type Admission, admitDrop, admitTable, type Standing } from './admission.ts';
import { EventLog } from './events.ts';
import { folderKey, makeFolder } from './folder.ts';
import { HeldTables } from './held-tables.ts';
import { loadMsMax } from './load-time.ts';
import { LoaderWorker } from './loader-worker.ts';
import { ProgressMemory, type Stage } from './progress.ts';
import { Receipts } from './receipt.ts';
import { correctReceipt, outcomeOf } from './receipt-correction.ts';
import { logMapping, servingLine } from './report.ts';
import { loadAgain } from './restore.ts';
import { findPrevious, type KeepPrevious, type RolledBack, refused } from './rollback.ts';
import type { SlotFile } from './scrub.ts';
import { setAsideBad } from './set-aside.ts';
import {
  installMap,
  MAP_INCOMING_NAME,
  MAP_NAME,
  type MapRecord,
  nameForServing,
  removeMap,
  removeServingName,
} from './slot-map.ts';
import {
  emptySlot,
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
  slotPath,
  writeRecord,
} from './slots.ts';
import type { LoaderStatus } from './status.ts';
import type { LoadResult } from './worker.ts';

/** `guards` judge dropped files; the slots are not asked. */
export interface LoaderOptions extends Admission {
  /** Folder of the two slots. */
  readonly baseDir: string;
  /** Built-in name, or the URL of a module whose default export is a `Scanner`. */
  readonly scanner: string;
  readonly gzipped: boolean;
  readonly bucket: string | undefined;
  readonly namespaces?: NamespaceOptions | undefined;
  /** Make tables in memory that several threads can read. */
  readonly shared: boolean;
  /** Bytes that a data set may take in memory; a larger one is mapped. Infinity: none is. */
  readonly bytesMax: number;
  /** Puts a table into service; resolves when no thread serves the old one. */
  readonly swap: (table: StorageParts, info: DataSetInfo) => Promise<void>;
  /** Milliseconds that the work on the smallest file may take: see `loadMsMax`. */
  readonly loadMsMin?: number | undefined;
  /** What becomes of the generation before, when a newer one serves: see `KeepPrevious`. */
  readonly keepPrevious?: KeepPrevious | undefined;
  /** Told when a load begins, with where to read its progress, and undefined when it has ended. */
  readonly onLoad?:
    | ((load: { path: string; progress: ProgressMemory } | undefined) => void)
    | undefined;
}

/** How often it is looked whether a load or a rollback is over that healing waits for. */
const BUSY_POLL_MS = 100;

type Table = Extract<LoadResult, { kind: 'table' }>;
export type Seconds = Partial<Record<Stage, number>>;

/** Takes files into service: verify, scan, index, move into the idle slot, switch. */
export class Loader {
  readonly events: EventLog;
  readonly #options: LoaderOptions;
  readonly #worker = new LoaderWorker();
  readonly #receipts: Receipts;
  /** Tells the base folder from another one at its path. */
  #baseKey: string | undefined;
  #servingSlot: SlotName | undefined;
  #serving: Standing | undefined;
  #nextSlot: SlotName = 'data00';
  #generation = 0;
  #running: { readonly path: string; readonly progress: ProgressMemory } | undefined;
  #isLoading = false;
  #rollingBack: Promise<unknown> | undefined;
  readonly #held = new HeldTables();
  /** The name under which a map serves. */
  #servingName: string | undefined;

  constructor(options: LoaderOptions) {
    this.#options = options;
    this.#receipts = new Receipts(options.logger);
    this.events = new EventLog(options.baseDir, options.logger);
  }

  get status(): LoaderStatus {
    const slot = this.#servingSlot;
    const running = this.#running;
    return {
      serving: slot === undefined ? undefined : { slot, generation: this.#generation },
      loading: running && { path: running.path, ...running.progress.read() },
    };
  }

  /**
   * Makes the slots' folders. When that fails and a slot holds data, it is served nevertheless.
   *
   * @throws GoromdbError FOLDER_UNUSABLE.
   */
  async prepare(): Promise<void> {
    const { baseDir, logger } = this.#options;
    await this.events.load();
    this.#baseKey = await folderKey(baseDir);
    try {
      await prepareSlots(baseDir);
    } catch (error) {
      const slots = await readSlots(baseDir, () => {});
      if (slots.length === 0) throw error;
      logger.error(`${messageOf(error)}. What the slots hold is served; new files are not taken`);
    }
  }

  /**
   * Puts the newest complete generation in the slots into service again, as at a start.
   *
   * @param drop Where new files come: a sum file that a crash left there is removed.
   * @returns Whether there was one.
   */
  async recover(drop: { readonly file: string; readonly sumFile: string }): Promise<boolean> {
    const { baseDir, logger } = this.#options;
    const refuse = (name: string, error: unknown): void => {
      const text = `slot ${name} is not used: ${messageWithCode(error)}`;
      this.events.add('slot not used', text);
      logger.warn(text);
    };
    const slots = await readSlots(baseDir, refuse);
    this.#generation = await newestGeneration(baseDir);
    this.#nextSlot = leastNeededSlot(slots);
    for (const slot of slots) {
      try {
        const { record, result } = await this.#loadSlot(slot);
        const seconds = await this.#switch(slot.name, record, result, result.seconds);
        await this.#removeLeftSum(drop, slot.md5);
        const outcome = outcomeOf(slot.name, record, seconds);
        await correctReceipt(this.#receipts, drop.file, outcome, record);
        return true;
      } catch (error) {
        const generation =
          slot.record === undefined ? '' : ` (generation ${slot.record.generation})`;
        refuse(`${slot.name}${generation}`, error);
      }
    }
    return false;
  }

  /** Loads the generation that serves once more: see `loadAgain`. */
  async restore(lost: DataSetInfo): Promise<ServedTable> {
    const { baseDir, logger, keepPrevious } = this.#options;
    const load = (slot: FilledSlot) => this.#loadSlot(slot);
    const { slot, loaded } = await loadAgain(baseDir, lost.generation, load, logger);
    const { record, result } = loaded;
    const { name, md5 } = slot;
    const info = infoOf(record.generation, md5, result);
    this.#servingSlot = name;
    this.#nextSlot = otherSlot(name);
    this.#serving = { info, fileBytes: record.bytes };
    if (keepPrevious === 'memory') this.#held.mended(name, md5, result);
    const text = `generation ${info.generation} is loaded again from slot ${name}`;
    this.events.add('loaded again', text);
    logger.warn(text);
    return { table: await this.#located(name, result), info };
  }

  /** Where the serving generation lies. */
  get slotFile(): SlotFile | undefined {
    if (this.#serving === undefined || this.#servingSlot === undefined) return undefined;
    const { generation, md5 } = this.#serving.info;
    return { generation, md5, path: slotPath(this.#options.baseDir, this.#servingSlot) };
  }

  /** Puts the generation that serves into service once more, because its memory is damaged. */
  async heal(damaged: DataSetInfo): Promise<void> {
    while (this.#isLoading || this.#rollingBack !== undefined) await delay(BUSY_POLL_MS);
    if (this.#serving?.info.generation !== damaged.generation) return;
    const healing = this.restore(damaged).then(async ({ table, info }) => {
      await this.#options.swap(table, info);
      await this.#keepName(table);
    });
    this.#rollingBack = healing;
    try {
      await healing;
    } finally {
      this.#rollingBack = undefined;
    }
  }

  /** Ends the worker. No load may be under way. */
  async close(): Promise<void> {
    await this.#rollingBack?.catch(() => {});
    await this.#worker.close();
    if (this.#servingName !== undefined) await removeServingName(this.#servingName).catch(() => {});
    await this.#receipts.flush();
    await this.events.flush();
  }

  /** Tells in the file's receipt why it is not loaded now. */
  wait(file: string, { code, text, md5 }: Complaint): void {
    const subject = md5 === undefined ? { file } : { file, md5 };
    this.#receipts.say(subject, { state: 'waiting', code, reason: text });
  }

  /** Loads what the watcher found. Whatever is wrong with it, what was served is served on. */
  async load(drop: Drop, signal: AbortSignal): Promise<Verdict> {
    while (this.#rollingBack !== undefined) await this.#rollingBack.catch(() => {});
    this.#isLoading = true;
    // Of three data sets one would be too many.
    this.#held.releasePrevious();
    try {
      const { baseDir } = this.#options;
      await admitDrop(drop, slotPath(baseDir, this.#nextSlot), this.#serving, this.#options);
      const result = await this.#run(drop.file, drop.md5, this.#nextSlot, { drop, signal });
      if (result.kind !== 'table') return result;
      const info = infoOf(this.#generation + 1, drop.md5, result);
      await this.#admit(drop, result, info);
      await this.#serve(drop, result, signal);
      return { kind: 'taken' };
    } catch (error) {
      if (isChange(error)) return { kind: 'changed' };
      if (provesFileBad(error) || isRefusal(error)) return await this.#reject(drop, error);
      this.#tellFailure(drop, error, signal);
      throw error;
    } finally {
      this.#isLoading = false;
    }
  }

  /**
   * Returns to the generation in the other slot. It gets a new number, so that the newest complete
   * generation is the one to serve, at the next start also; to roll back again returns to this one.
   *
   * @throws GoromdbError ROLLBACK_REFUSED, with the reason; what was served is served on.
   */
  async rollback(): Promise<RolledBack> {
    if (this.#isLoading) {
      throw refused('a file is being loaded; ask again when it serves, or take it away');
    }
    if (this.#rollingBack !== undefined) throw refused('another rollback is under way');
    const rollingBack = this.#rollback();
    this.#rollingBack = rollingBack;
    try {
      return await rollingBack;
    } finally {
      this.#rollingBack = undefined;
    }
  }

  async #rollback(): Promise<RolledBack> {
    const { baseDir } = this.#options;
    const startMs = performance.now();
    const serving = this.#servingSlot;
    if (serving === undefined) throw refused('nothing serves yet');
    await this.#checkBase();
    const { previous, current } = await findPrevious(baseDir, serving);
    const { record: before, result } = await this.#loadPrevious(previous);
    const record = {
      ...this.#record(before.source, previous.md5, result),
      restores: before.restores ?? before.generation,
    };
    await writeRecord(baseDir, previous.name, record);
    this.#generation = record.generation;
    const all = await this.#switch(previous.name, record, result, result.seconds);
    const seconds = (performance.now() - startMs) / 1000;
    const text = `rolled back to the data of generation ${record.restores}, which is generation ${record.generation} now`;
    this.#options.logger.warn(`${text}; ${seconds.toFixed(3)} s`);
    this.events.add('rolled back', text);
    const file = current?.record?.source ?? before.source;
    const outcome = outcomeOf(previous.name, record, all);
    await correctReceipt(this.#receipts, file, outcome, record, current?.record);
    return { slot: previous.name, record, seconds };
  }

  async #loadPrevious(slot: FilledSlot): Promise<{ record: SlotRecord; result: Table }> {
    const held = this.#held.find(slot.name, slot.md5);
    if (held !== undefined && slot.record !== undefined) {
      return { record: slot.record, result: held };
    }
    try {
      return await this.#loadSlot(slot);
    } catch (cause) {
      throw refused(`slot ${slot.name} cannot be used: ${messageWithCode(cause)}`, cause);
    }
  }

  /** A crash may come after the file was moved and before its sum was removed. */
  async #removeLeftSum(drop: { file: string; sumFile: string }, md5: string): Promise<void> {
    // With a file beside it the sum belongs to a new drop, even if it is of the same content.
    if ((await see(drop.file)).kind !== 'absent') return;
    await removeSumOf(drop.sumFile, md5, basename(drop.file)).catch(() => {});
  }

  async #loadSlot(slot: FilledSlot): Promise<{ record: SlotRecord; result: Table }> {
    const result = await this.#run(slot.path, slot.md5, slot.name, { slot });
    if (result.kind === 'mismatch') {
      const sums = `the slot's sum file says ${slot.md5}, the file has ${result.found}`;
      throw new GoromdbError('SUM_MISMATCH', `${slot.path} is damaged: ${sums}`);
    }
    if (result.kind === 'changed') {
      throw new GoromdbError('FILE_CHANGED', `${slot.path} is being written by another program`);
    }
    return { record: await this.#recordAgain(slot, result), result };
  }

  /** Has a slot's record say how it is served now. */
  async #recordAgain({ name, path, md5, record }: FilledSlot, result: Table): Promise<SlotRecord> {
    const { baseDir, logger } = this.#options;
    const { map, table } = result;
    const isAsBefore = map === undefined ? record?.map === undefined : !result.isNewMap;
    if (record !== undefined && isAsBefore) return record;
    if (map?.file === MAP_NAME) await installMap(dirname(path));
    const next = { ...(record ?? this.#record(path, md5, result)), keys: table.keys, map };
    try {
      await writeRecord(baseDir, name, next);
      if (map?.file !== MAP_NAME) await removeMap(dirname(path));
    } catch (error) {
      logger.warn(`slot ${name} gets no record (${messageOf(error)}), and is served as it is`);
    }
    return next;
  }

  /**
   * @param name The slot that it is in, or will be.
   * @param what What is loaded: a slot, or a drop, whose receipt tells of the progress.
   */
  async #run(
    path: string,
    md5: string,
    name: SlotName,
    what: { readonly slot: FilledSlot } | { readonly drop: Drop; readonly signal: AbortSignal },
  ): Promise<LoadResult> {
    const { onLoad, logger, baseDir, loadMsMin } = this.#options;
    const progress = new ProgressMemory();
    this.#running = { path, progress };
    onLoad?.(this.#running);
    const isDrop = 'drop' in what;
    const stop = isDrop ? this.#receipts.follow(subjectOf(what.drop), progress) : undefined;
    const stopLog = logMapping(path, progress, logger);
    try {
      const mapDir = dirname(slotPath(baseDir, name));
      const map = isDrop ? undefined : what.slot.record?.map;
      const how = requestOf(this.#options, map);
      const request = { path, md5, ...how, mapDir, mayClear: isDrop, progress: progress.memory };
      const signal = isDrop ? what.signal : undefined;
      return await this.#worker.run(request, await loadMsMax(path, loadMsMin), signal);
    } finally {
      stop?.();
      stopLog();
      this.#running = undefined;
      onLoad?.(undefined);
    }
  }

  /** Lets the guards look at a drop, which is not in its slot yet. */
  async #admit(drop: Drop, { table, map }: Table, info: DataSetInfo): Promise<void> {
    const standing = this.#serving;
    if (!isMap(table) || this.#options.guards === undefined) {
      return admitTable(drop, { table, info }, standing, this.#options);
    }
    const folder = dirname(slotPath(this.#options.baseDir, this.#nextSlot));
    const file = map?.file === MAP_NAME ? join(folder, MAP_INCOMING_NAME) : drop.file;
    const path = await nameForServing(folder, file);
    try {
      await admitTable(drop, { table: { ...table, path }, info }, standing, this.#options);
    } finally {
      await removeServingName(path);
    }
  }

  /** What is to be swapped in: a map with a name to open it by, which lasts until the next one. */
  async #located(slot: SlotName, { table, map }: Table): Promise<StorageParts> {
    if (!isMap(table) || map === undefined) return table;
    const folder = dirname(slotPath(this.#options.baseDir, slot));
    return { ...table, path: await nameForServing(folder, join(folder, map.file)) };
  }

  /** The name that a map served under before is of no use any more. */
  async #keepName(table: StorageParts): Promise<void> {
    const previous = this.#servingName;
    this.#servingName = isMap(table) ? table.path : undefined;
    if (previous !== undefined) await removeServingName(previous).catch(() => {});
  }

  async #serve(drop: Drop, result: Table, signal: AbortSignal): Promise<void> {
    const { baseDir, logger } = this.#options;
    const { identity } = result;
    const slot = this.#nextSlot;
    const record = this.#record(drop.file, drop.md5, result);
    const startMs = performance.now();
    await this.#checkBase();
    await makeFolder(join(baseDir, slot));
    await install(baseDir, slot, { file: drop.file, identity, record }, signal);
    // Whatever comes now, this number belongs to this data.
    this.#generation = record.generation;
    await removeDrop(drop, identity).catch((error: unknown) => {
      logger.warn(
        `${drop.file} is taken, but cannot be removed (${messageOf(error)}): give this user write ` +
          'permission in its folder; until then it is loaded again at every start',
      );
    });
    const move = (performance.now() - startMs) / 1000;
    const seconds = await this.#switch(slot, record, result, { ...result.seconds, move });
    this.#receipts.say(subjectOf(drop), outcomeOf(slot, record, seconds));
    if (this.#options.keepPrevious !== 'no') return;
    await emptySlot(baseDir, otherSlot(slot)).catch((error: unknown) => {
      logger.warn(`slot ${otherSlot(slot)} could not be emptied (${messageOf(error)})`);
    });
  }

  /**
   * A folder that was unmounted leaves another one at its path. What is put there is gone from sight
   * when the right one is back, and an older generation would be served at the next start.
   */
  async #checkBase(): Promise<void> {
    const { baseDir } = this.#options;
    const key = await folderKey(baseDir);
    if (key === this.#baseKey) return;
    const found = key === undefined ? 'is gone' : 'is another one than at the start';
    const message = `the base folder ${baseDir} ${found}: bring it back, or restart the server`;
    throw new GoromdbError('FOLDER_UNUSABLE', message);
  }

  #record(source: string, md5: string, result: Table): SlotRecord {
    const { table, format, identity, map } = result;
    return {
      generation: this.#generation + 1,
      md5,
      bytes: Number(identity.size),
      keys: table.keys,
      format,
      source,
      installedAt: new Date().toISOString(),
      ...(map === undefined ? {} : { map }),
    };
  }

  /** @returns The seconds of all stages. */
  async #switch(
    slot: SlotName,
    record: SlotRecord,
    result: Table,
    seconds: Seconds,
  ): Promise<Seconds> {
    const { notices } = result;
    const { generation, md5 } = record;
    const startMs = performance.now();
    const info = infoOf(generation, md5, result);
    const table = await this.#located(slot, result);
    await this.#options.swap(table, info);
    await this.#keepName(table);
    this.#serving = { info, fileBytes: record.bytes };
    if (this.#options.keepPrevious === 'memory') this.#held.serves(slot, md5, result);
    this.#servingSlot = slot;
    this.#nextSlot = otherSlot(slot);
    this.#generation = Math.max(this.#generation, generation);
    const all = { ...seconds, switch: (performance.now() - startMs) / 1000 };
    const line = servingLine(slot, record, all);
    this.#options.logger.info(line);
    this.events.add('serving', line);
    for (const notice of notices) {
      this.#options.logger.warn(`in generation ${generation} from ${record.source}: ${notice}`);
    }
    return all;
  }

  async #reject(drop: Drop, error: GoromdbError): Promise<Verdict> {
    const { baseDir, logger } = this.#options;
    const serving = this.#servingSlot && { slot: this.#servingSlot, generation: this.#generation };
    const rejection = await setAsideBad(drop, error, baseDir, serving);
    if (rejection === undefined) return { kind: 'changed' };
    logger.error(rejection.line);
    this.events.add('rejected', rejection.line);
    this.#receipts.say(subjectOf(drop), rejection.outcome);
    return { kind: 'rejected' };
  }

  /** The watcher says what happens next. */
  #tellFailure(drop: Drop, error: unknown, signal: AbortSignal): void {
    const reason = messageOf(error);
    if (signal.aborted) {
      this.events.add('given up', reason);
      this.#receipts.say(subjectOf(drop), {
        state: 'waiting',
        code: 'LOADER_FAILED',
        reason: 'its load was stopped: another file has come, or the server has ended',
      });
      return;
    }
    this.events.add('failed', reason);
  }
}

function infoOf(generation: number, md5: string, { table, format }: Table): DataSetInfo {
  const { keys, bytes } = table;
  return { generation, keys, bytes, md5, format, loadedAt: Date.now() };
}

/** What the worker is asked for, whatever the file. @param map What the slot's record says. */
function requestOf(options: LoaderOptions, map: MapRecord | undefined) {
  const { scanner, gzipped, bucket, namespaces, shared, bytesMax, baseDir } = options;
  // Names all options that a map's records depend on.
  const recipe = JSON.stringify({ scanner, gzipped, bucket, namespaces });
  return {
    ...{ scanner, gzipped, bucket, namespaces, shared, bytesMax, recipe, scratchDir: baseDir },
    // One that was made under a smaller budget may fit into memory now.
    map: map?.recipe === recipe && bytesMax <= map.memoryBytes ? map : undefined,
  };
}

function subjectOf({ file, md5, identity }: Drop): { file: string; md5: string; bytes: number } {
  return { file, md5, bytes: Number(identity.size) };
}

function isChange(error: unknown): boolean {
  return error instanceof GoromdbError && error.code === 'FILE_CHANGED';
}
