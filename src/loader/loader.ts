import type { Logger } from '../common/log.ts';
import { Turns } from '../common/turns.ts';
import type { WaitingDrop } from '../storage/load-news.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import { Generations, type GenerationsOptions } from './generations/generations.ts';
import { LoadMonitor, type LoadMonitorOptions } from './generations/load-monitor.ts';
import { stageOffer } from './generations/load-offer.ts';
import type { LoaderParts } from './generations/loader-parts.ts';
import { rollBack } from './generations/online-rollback.ts';
import { lookBack, recover } from './generations/recover.ts';
import { heal } from './generations/restore.ts';
import type { SlotFile } from './generations/scrub.ts';
import { SlotLoads } from './generations/slot-loads.ts';
import type { Offer, Receiver, Source, Verdict } from './generations/source.ts';
import type { OfferRules, Staged } from './generations/staged.ts';
import type { LoaderStatus } from './generations/status.ts';
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
  readonly logger: Logger;
}

/** Works that change what serves. */
type Work = 'load' | 'rollback' | 'heal' | 'look back';

/** Takes offers into service: verify, scan, index, move into the idle slot, switch. */
export class Loader implements Receiver {
  readonly events: EventLog;
  readonly #options: LoaderOptions;
  readonly #parts: LoaderParts;
  readonly #turns = new Turns<Work>();
  readonly #monitor: LoadMonitor;
  /** Why nothing has served since the start. */
  #startFault: string | undefined;
  /** What is held, and does not serve yet. */
  #staged: Staged | undefined;

  constructor(options: LoaderOptions) {
    const { baseDir, source, logger } = options;
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
      source,
      events: this.events,
      logger,
    };
  }

  get status(): LoaderStatus {
    const { generations, files } = this.#parts;
    const { serving } = generations;
    const fault = serving === undefined ? this.#startFault : undefined;
    return { serving, loading: files.running, fault, waiting: this.#monitor.news.waiting };
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

  /** @returns What the offer came to. @throws As `stageOffer`. */
  load(offer: Offer, signal: AbortSignal): Promise<Verdict> {
    return this.#turns.take('load', async () => {
      const staged = await this.#stage(offer, signal);
      return staged.kind === 'staged' ? staged.switch(signal) : staged;
    });
  }

  /**
   * Loads an offer and holds it, until it is switched to or released. The next load takes its place, and
   * so does a rollback: the idle slot holds one.
   *
   * @param generation The number that it is to have: above all before.
   * @returns What the offer came to, if it is not held.
   * @throws As `stageOffer`.
   */
  stage(
    offer: Offer,
    signal: AbortSignal,
    generation: number,
  ): Promise<Pick<Staged, 'kind' | 'switch' | 'release'> | Verdict> {
    return this.#turns.take('load', async () => {
      const staged = await this.#stage(offer, signal, generation);
      if (staged.kind !== 'staged') return staged;
      this.#staged = staged;
      return {
        kind: 'staged',
        switch: (signal) => this.#turns.take('load', () => staged.switch(signal)),
        release: () => staged.release(),
      };
    });
  }

  async #stage(offer: Offer, signal: AbortSignal, generation?: number): Promise<Staged | Verdict> {
    await this.#staged?.release();
    this.#monitor.noteTry();
    return stageOffer(this.#parts, this.#options, offer, signal, generation);
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
      throw refused('a file is being loaded; ask again when it serves, or take it away');
    }
    if (current === 'rollback') throw refused('another rollback is under way');
    return this.#turns.take('rollback', () => rollBack(this.#parts));
  }

  /** Puts the generation that serves into service once more, because its table is damaged. */
  heal(damaged: DataSetInfo): Promise<void> {
    return this.#turns.take('heal', () => heal(this.#parts, damaged));
  }

  /** Ends the worker, and the source. */
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
