import type { Logger } from '../common/log.ts';
import type { DataSetStatus } from '../common/status.ts';
import { Turns } from '../common/turns.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import type { Complaint } from '../watcher/complaints.ts';
import type { Drop, Verdict } from '../watcher/watcher.ts';
import { Receipts } from './drops/receipt.ts';
import { Generations, type GenerationsOptions } from './generations/generations.ts';
import { type DropRules, loadDrop } from './generations/load-drop.ts';
import { LoadMonitor, type LoadMonitorOptions } from './generations/load-monitor.ts';
import type { LoaderParts } from './generations/loader-parts.ts';
import { rollBack } from './generations/online-rollback.ts';
import { type DropPlace, lookBack, recover } from './generations/recover.ts';
import { heal } from './generations/restore.ts';
import type { SlotFile } from './generations/scrub.ts';
import { SlotLoads } from './generations/slot-loads.ts';
import { BaseFolder } from './slots/base-folder.ts';
import { EventLog } from './slots/events.ts';
import { type RolledBack, refused } from './slots/rollback.ts';
import { FileLoads, type FileLoadsOptions } from './worker/file-loads.ts';

/** `guards` judge dropped files; the slots are not asked. */
export interface LoaderOptions
  extends DropRules,
    FileLoadsOptions,
    GenerationsOptions,
    LoadMonitorOptions {
  readonly logger: Logger;
}

/** What a loader tells of its data set. */
type LoaderStatus = Omit<DataSetStatus, 'prefix' | 'file' | 'basedir' | 'counters'>;

/** Works that change what serves. */
type Work = 'load' | 'rollback' | 'heal' | 'look back';

/** Takes files into service: verify, scan, index, move into the idle slot, switch. */
export class Loader {
  readonly events: EventLog;
  readonly #options: LoaderOptions;
  readonly #parts: LoaderParts;
  readonly #turns = new Turns<Work>();
  readonly #monitor: LoadMonitor;
  /** Why nothing has served since the start. */
  #startFault: string | undefined;

  constructor(options: LoaderOptions) {
    const { baseDir, logger } = options;
    this.#options = options;
    this.#monitor = new LoadMonitor(options);
    this.events = new EventLog(baseDir, logger, (event) => this.#monitor.noteEvent(event));
    const files = new FileLoads(options);
    const generations = new Generations(options, this.events);
    this.#parts = {
      base: new BaseFolder(baseDir),
      files,
      slots: new SlotLoads(files, generations, baseDir, logger),
      generations,
      receipts: new Receipts(logger),
      events: this.events,
      logger,
    };
  }

  get status(): LoaderStatus {
    const { generations, files } = this.#parts;
    const { serving, previous } = generations;
    const fault = serving === undefined ? this.#startFault : undefined;
    const { events } = this.events;
    return { serving, previous, loading: files.running, fault, ...this.#monitor.news, events };
  }

  /** Where the serving generation lies. */
  get slotFile(): SlotFile | undefined {
    return this.#parts.generations.slotFile;
  }

  /** A scrub has found the file of a generation damaged. */
  noteFileFault(generation: number, text: string): void {
    this.#parts.generations.noteFileFault(generation, text);
  }

  /**
   * Makes the slots' folders. When that fails and a slot holds data, it is served nevertheless.
   *
   * @throws GoromdbError FOLDER_UNUSABLE.
   */
  async prepare(): Promise<void> {
    await this.events.load();
    await this.#parts.base.prepare(this.#options.logger);
  }

  /** Serves what the slots hold, as at a start: see `recover`. @returns Whether they hold something. */
  async recover(drop: DropPlace): Promise<boolean> {
    const { isServing, fault } = await recover(this.#parts, drop);
    this.#startFault = fault;
    return isServing;
  }

  /** No drop is there. */
  noteAbsence(): void {
    this.#monitor.noteAbsence();
  }

  /** Tells in the file's receipt why it is not loaded now. */
  wait(file: string, complaint: Complaint): void {
    this.#monitor.noteWait(complaint);
    const { code, text, md5 } = complaint;
    const subject = md5 === undefined ? { file } : { file, md5 };
    this.#parts.receipts.say(subject, { state: 'waiting', code, reason: text });
  }

  /**
   * Checks the table of the generation before, and maps it, so that a rollback after a start takes no
   * longer than one later.
   */
  lookBack(): Promise<void> {
    return this.#turns.take('look back', () => lookBack(this.#parts));
  }

  /** Loads what the watcher found: see `loadDrop`. */
  load(drop: Drop, signal: AbortSignal): Promise<Verdict> {
    return this.#turns.take('load', async () => {
      this.#monitor.noteTry();
      const verdict = await loadDrop(this.#parts, this.#options, drop, signal);
      if (verdict.kind === 'taken') this.#monitor.noteTaken();
      return verdict;
    });
  }

  /**
   * Returns to the generation in the other slot: see `rollBack`. It does not wait for a load, whose
   * data would be what is rolled back.
   *
   * @throws GoromdbError ROLLBACK_REFUSED, with the reason; what was served is served on.
   */
  async rollback(): Promise<RolledBack> {
    const { current } = this.#turns;
    if (current === 'load') {
      throw refused('a file is being loaded; ask again when it serves, or take it away');
    }
    if (current === 'rollback') throw refused('another rollback is under way');
    return this.#turns.take('rollback', () => rollBack(this.#parts));
  }

  /** Puts the generation that serves into service once more, because its table is damaged. */
  heal(damaged: DataSetInfo): Promise<void> {
    return this.#turns.take('heal', () => heal(this.#parts, damaged));
  }

  /** Ends the worker. No load may be under way. */
  async close(): Promise<void> {
    const { files, generations, receipts } = this.#parts;
    await this.#turns.idle();
    await files.close();
    generations.close();
    await receipts.flush();
    await this.events.flush();
  }
}
