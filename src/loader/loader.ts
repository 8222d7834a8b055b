/** What belongs in this folder: takes what sources offer into service, one job at a time. */
import type { Logger } from '../common/log.ts';
import type { DataSetStatus, FolderEvent, WaitingDrop } from '../common/status.ts';
import { Turns } from '../common/turns.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import type { OfferRules } from './generations/admission.ts';
import {
  Generations,
  type GenerationsOptions,
  type LoaderParts,
} from './generations/generations.ts';
import { LoadMonitor, type LoadMonitorOptions } from './generations/load-monitor.ts';
import { OfferLoad } from './generations/offer-load.ts';
import { lookBack, recover, repair, rollBack } from './generations/recover.ts';
import type { SlotFile } from './generations/scrub.ts';
import type { Offer, Receiver, Source, Verdict } from './generations/source.ts';
import { BaseFolder } from './slots/base-folder.ts';
import { EventLog } from './slots/events.ts';
import { type RolledBack, refused } from './slots/rollback.ts';
import { FileLoads, type FileLoadsOptions } from './worker/file-loads.ts';

/** `guards` judge what is offered; the slots are not asked. */
export interface LoaderOptions
  extends OfferRules,
    FileLoadsOptions,
    GenerationsOptions,
    LoadMonitorOptions {
  /** Where new generations come from. */
  readonly source: Source;
  /** Called of each event that the base folder keeps. */
  readonly onEvent?: ((event: FolderEvent) => void) | undefined;
  readonly logger: Logger;
}

/** What a loader knows of its data set. */
type LoaderStatus = Omit<
  DataSetStatus,
  'prefix' | 'file' | 'basedir' | 'counters' | 'lookups' | 'loads'
>;

/** A generation that is loaded and held. */
export interface Staged {
  readonly kind: 'staged';
  /** Puts it into service. @returns `changed`: it is not held any more. */
  swap(signal: AbortSignal): Promise<Verdict>;
  release(): Promise<void>;
}

/** Jobs that may swap. */
type Job = 'load' | 'rollback' | 'repair' | 'look back';

/** Takes offers into service: verify, scan, index, move into the idle slot, swap. */
export class Loader implements Receiver {
  readonly events: EventLog;
  readonly #options: LoaderOptions;
  readonly #parts: LoaderParts;
  readonly #turns = new Turns<Job>();
  readonly #monitor: LoadMonitor;
  /** Why nothing has served since the start. */
  #startFault: string | undefined;
  /** What is held, and does not serve yet. */
  #staged: OfferLoad | undefined;

  constructor(options: LoaderOptions) {
    const { baseDir, source, logger } = options;
    this.#options = options;
    this.#monitor = new LoadMonitor(options);
    this.events = new EventLog(baseDir, logger, (event, kept) => {
      this.#monitor.noteEvent(event);
      if (kept !== undefined) options.onEvent?.(kept);
    });
    this.#parts = {
      base: new BaseFolder(baseDir),
      files: new FileLoads(options),
      generations: new Generations(options, this.events),
      source,
      rules: options,
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
  async recover(): Promise<boolean> {
    const { isServing, fault } = await recover(this.#parts);
    this.#startFault = fault;
    return isServing;
  }

  noteAbsence(): void {
    this.#monitor.noteAbsence();
  }

  noteWait(why: Pick<WaitingDrop, 'code' | 'text'>): void {
    this.#monitor.noteWait(why);
  }

  /**
   * Checks the table of the generation before, and maps it, so that a rollback after a start takes no
   * longer than one later.
   */
  lookBack(): Promise<void> {
    return this.#turns.take('look back', () => lookBack(this.#parts));
  }

  load(offer: Offer, signal: AbortSignal): Promise<Verdict> {
    return this.#turns.take('load', async () => {
      const load = await this.#begin(offer);
      return this.#counted((await load.stage(signal)) ?? (await load.swap(signal)));
    });
  }

  /**
   * Loads an offer and holds it, until it is swapped in or released. The idle slot holds one: the next
   * load takes its place, and so does a rollback.
   *
   * @param number The generation that it is to be, above all before.
   * @returns What the offer came to, if it is not held.
   * @throws As `load`.
   */
  stage(offer: Offer, signal: AbortSignal, number: number): Promise<Staged | Verdict> {
    return this.#turns.take('load', async () => {
      const load = await this.#begin(offer, number);
      const verdict = await load.stage(signal);
      if (verdict !== undefined) return verdict;
      this.#staged = load;
      return {
        kind: 'staged',
        swap: (signal) =>
          this.#turns.take('load', async () => this.#counted(await load.swap(signal))),
        release: () => load.release(),
      };
    });
  }

  #counted(verdict: Verdict): Verdict {
    if (verdict.kind === 'taken') this.#monitor.noteTaken();
    return verdict;
  }

  async #begin(offer: Offer, number?: number): Promise<OfferLoad> {
    await this.#staged?.release();
    this.#monitor.noteTry();
    return new OfferLoad(this.#parts, offer, number);
  }

  /**
   * Returns to the generation in the other slot: see `rollBack`. It does not wait for a load, whose
   * data would be what is rolled back.
   *
   * @throws GoromdbError ROLLBACK_REFUSED, with the reason; the serving generation keeps serving.
   */
  async rollback(): Promise<RolledBack> {
    const { current } = this.#turns;
    if (current === 'load') {
      throw refused('a file is being loaded; ask again when it serves, or remove it');
    }
    if (current === 'rollback') throw refused('another rollback is under way');
    return this.#turns.take('rollback', () => rollBack(this.#parts));
  }

  /** Puts the generation that serves into service once more, because its table is damaged. */
  repair(damaged: DataSetInfo): Promise<void> {
    return this.#turns.take('repair', async () => {
      // It may write to the slot that is idle.
      await this.#staged?.release();
      await repair(this.#parts, damaged);
    });
  }

  /** Ends the source and idle processes, and releases the maps. */
  async close(): Promise<void> {
    const { files, generations, source } = this.#parts;
    await this.#turns.idle();
    await this.#staged?.release();
    await files.close();
    generations.close();
    await source.close();
    await this.events.flush();
  }
}
