/** One data set: its slots, its source, its loader and its scrub. */
import { codeOf, GoromdbError, GUARD_CODES, messageOf } from '../common/errors.ts';
import type { Logger } from '../common/log.ts';
import type {
  DataSetCounter,
  DataSetStatus,
  FolderEvent,
  LoadFigures,
  Status,
} from '../common/status.ts';
import { VERSION } from '../common/version.ts';
import { Control } from '../control/control.ts';
import type { LockHandle } from '../control/folder-lock.ts';
import { DropFolder } from '../loader/drops/drop-folder.ts';
import type { Guards } from '../loader/generations/guards.ts';
import { SCRUB_RATE_DEFAULT, Scrub } from '../loader/generations/scrub.ts';
import type { Source } from '../loader/generations/source.ts';
import { Loader, type LoaderOptions } from '../loader/loader.ts';
import { prepareBase } from '../loader/slots/base-folder.ts';
import { type KeepPrevious, type RolledBack, refused } from '../loader/slots/rollback.ts';
import { noneCounted } from '../protocol/counters.ts';
import type { DataSetFigures } from '../protocol/fields.ts';
import type { Threads } from '../server/threads/threads.ts';
import type { ShardPlace } from '../shards/place.ts';
import { emptyStorage } from '../storage/empty.ts';
import type { BucketPath } from '../storage/formats/selection.ts';
import type { SampledLookup } from '../storage/lookup-sample.ts';
import type { KeyPrefix } from '../storage/scanners/namespaces.ts';
import type { FieldOptions, NamespaceOptions } from '../storage/scanners/scanner.ts';

/** The options of one data set. */
export interface DataSetOptions {
  /** The file that producers drop; its sum file is beside it as `<file>.md5`. */
  readonly file: string;
  /** As for `-storage`, or the URL of a module whose default export is a `Scanner`. */
  readonly storage: string;
  readonly gzipped?: boolean;
  /** Of nested buckets in a BoltDB file: their names, from the outside in. */
  readonly bucket?: BucketPath | undefined;
  /** The names of the fields in JSON Lines. Default: `key` and `value`, and no others. */
  readonly fields?: FieldOptions | undefined;
  /** Serve all buckets or named databases of the file, under `name:key`. Default: no. */
  readonly namespaces?: NamespaceOptions | undefined;
  /**
   * Folder of the slots. It is made if it is not there; its parent must be. Default: the folder of
   * `file`.
   */
  readonly basedir?: string;
  /** Whether the previous generation stays on disk when a newer one serves. Default: it does. */
  readonly keepPrevious?: KeepPrevious;
  /** The guards of each new generation. Default: none; its file must be sound. */
  readonly guards?: Guards;
  /**
   * The scrub: how fast it reads the serving generation, in bytes a second up to 1 GiB (default 8 MiB;
   * 0: not at all), and its pause after each pass (default 60 s).
   */
  readonly scrub?: { readonly bytesPerSecond?: number; readonly passPauseMs?: number };
  /** How often to look at the drop folder in place of waiting for events; 0: wait for events. */
  readonly pollIntervalMs?: number;
  /** How often to look at the drop folder beside the events. */
  readonly rescanMs?: number;
}

/** What the data sets of a process share. */
export interface DataSetShare {
  readonly threads: Threads;
  readonly logger: Logger;
  /** For progress: see `LoaderOptions`. */
  readonly onLoad: LoaderOptions['onLoad'];
  /** Called with each event that a base folder keeps, and the prefix of its data set. */
  readonly onEvent?: ((set: string, event: FolderEvent) => void) | undefined;
  /** The locks of the process that this one takes over from. */
  readonly locks?: readonly LockHandle[] | undefined;
  /** The server's place among shards; undefined: it has all keys. */
  readonly place?: ShardPlace | undefined;
  /** What the command `upgrade` does; undefined: there is none. */
  readonly upgrade?: (() => Promise<unknown>) | undefined;
}

/** A data set with its place: paths absolute, keys under a prefix or not. */
export interface PlacedDataSet extends DataSetOptions {
  readonly basedir: string;
  readonly prefix: KeyPrefix | undefined;
}

/** A data set of this process. The threads have what it serves. */
export class DataSet {
  readonly options: PlacedDataSet;
  readonly #share: DataSetShare;
  readonly #control: Control;
  readonly #loader: Loader;
  readonly #counters = noneCounted();
  readonly #loadCounts = new LoadCounts();
  readonly #source: Source;
  #prepared: Promise<void> | undefined;
  #scrub: Scrub | undefined;
  #isStopping = false;
  /** As it was when it was stopped. */
  #lastStatus: DataSetStatus | undefined;

  /** @param control Of the locked base folder. */
  constructor(options: PlacedDataSet, control: Control, share: DataSetShare) {
    this.options = options;
    this.#share = share;
    this.#control = control;
    this.#source = new DropFolder({ ...options, logger: share.logger });
    this.#loader = createLoader(options, this.#source, share, (name, code) => {
      this.#count(name);
      this.#loadCounts.add(name, code);
    });
  }

  /** @throws GoromdbError FOLDER_IN_USE, FOLDER_UNUSABLE. */
  static async take(
    { basedir }: PlacedDataSet,
    logger: Logger,
    locks: DataSetShare['locks'],
  ): Promise<Control> {
    await prepareBase(basedir, logger);
    return Control.take(basedir, logger, locks);
  }

  /** Its name in the threads: see `PlacedSet`. */
  get set(): string {
    return setOf(this.options);
  }

  get control(): Control {
    return this.#control;
  }

  get status(): DataSetStatus {
    if (this.#lastStatus !== undefined) return this.#lastStatus;
    const { file, basedir } = this.options;
    const counters = { ...this.#counters };
    const { threads } = this.#share;
    const asked = threads.asked(this.set);
    const loads = this.#loadCounts.figures;
    return { prefix: this.set, file, basedir, ...this.#loader.status, counters, ...asked, loads };
  }

  /** Lookups of late, with the keys of the file. */
  get sample(): readonly SampledLookup[] {
    const { prefix } = this.options;
    const start = prefix === undefined ? 0 : Buffer.byteLength(prefix.name + prefix.delimiter);
    const sample = this.#share.threads.sample(this.set);
    return sample.map(({ key, wasHit }) => ({ key: key.subarray(start), wasHit }));
  }

  get figures(): DataSetFigures {
    const info = this.#share.threads.served(this.set) ?? emptyStorage.info;
    return { ...this.status, info };
  }

  /** Makes the slots' folders, once. @throws GoromdbError FOLDER_UNUSABLE. */
  prepare(): Promise<void> {
    this.#prepared ??= this.#loader.prepare();
    return this.#prepared;
  }

  /** Puts the newest generation in the slots into service. @returns Whether there was one. */
  recover(): Promise<boolean> {
    return this.#loader.recover();
  }

  /** Waits for files and answers commands from now on. @param address Of the server. */
  watch(address: string): void {
    const loader = this.#loader;
    const control = this.#control;
    loader.events.add('started', `version ${VERSION}, pid ${control.holder.pid}, on ${address}`);
    control.answer('rollback', () => this.rollback());
    if (this.#share.upgrade !== undefined) control.answer('upgrade', this.#share.upgrade);
    control.answer('status', async (): Promise<Status> => {
      return { server: this.#share.threads.status, dataSets: [this.status] };
    });
    this.#source.start(loader);
    loader.lookBack().catch((error: unknown) => {
      const fields = { event: 'previous-failed', code: codeOf(error) } as const;
      this.#share.logger.warn(
        `the previous generation was not checked: ${messageOf(error)}`,
        fields,
      );
    });
    this.#scrub = this.#startScrub();
  }

  /** Looks for new data now, and offers refused drops again. */
  look(): void {
    this.#source.look();
  }

  /** Swaps to the previous generation. @throws GoromdbError ROLLBACK_REFUSED. */
  async rollback(): Promise<RolledBack> {
    if (this.#scrub === undefined || this.#isStopping) {
      throw refused('this data set is being changed, or closed; ask again');
    }
    return this.#loader.rollback();
  }

  /** Begins a pass of the scrub now. @throws GoromdbError OPTION_INVALID when there is none. */
  scrub(): void {
    if (this.#scrub?.hurry() === true) return;
    throw new GoromdbError(
      'OPTION_INVALID',
      `${nameOf(this.options)} is not scrubbed: -scrub-rate is 0`,
    );
  }

  /** Why there is no data after a start, for the log. */
  async describeLack(): Promise<string> {
    const { file } = this.options;
    // The log has the fault, with what helps.
    if (this.#loader.status.fault !== undefined) return 'no slot can be served';
    if (await this.#source.hasNext()) {
      return `there is no data in the slots yet: ${file} is there, and is loaded next`;
    }
    return `there is no data yet, so every key is a miss until ${this.#source.wanted}`;
  }

  /** Takes no files any more, and aborts a load. */
  async unwatch(): Promise<void> {
    await this.#source.close();
  }

  /** Ends all work on it. The serving generation keeps serving, and the base folder stays locked. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.unwatch();
    await this.#scrub?.close();
    if (this.#scrub !== undefined) {
      this.#loader.events.add('closed', `pid ${this.#control.holder.pid}`);
    }
    // What it serves keeps serving: nobody is to hear that nothing does.
    this.#lastStatus = this.status;
    await this.#loader.close();
  }

  #count(name: DataSetCounter): void {
    this.#counters[name]++;
    this.#share.threads.count(name);
  }

  #startScrub(): Scrub {
    const { bytesPerSecond = SCRUB_RATE_DEFAULT, passPauseMs } = this.options.scrub ?? {};
    const { threads, logger } = this.#share;
    return new Scrub({
      bytesPerSecond,
      checksFirst: true,
      ...(passPauseMs === undefined ? {} : { passPauseMs }),
      served: () => threads.served(this.set),
      slotFile: () => this.#loader.slotFile,
      count: (name) => this.#count(name),
      onFileFault: (generation, text) => this.#loader.noteFileFault(generation, text),
      repair: (damaged) => this.#loader.repair(damaged),
      logger,
    });
  }
}

export function setOf({ prefix }: PlacedDataSet): string {
  return prefix?.name ?? '';
}

/** The name of a data set in messages. */
export function nameOf(options: PlacedDataSet): string {
  const set = setOf(options);
  return set === '' ? 'the data set without a prefix' : `data set ${set}`;
}

function createLoader(
  options: PlacedDataSet,
  source: Source,
  { threads, logger, onLoad, onEvent, place }: DataSetShare,
  count: NonNullable<LoaderOptions['onCount']>,
): Loader {
  const { basedir, storage, gzipped = false, bucket, fields, namespaces, prefix } = options;
  const { keepPrevious } = options;
  const set = setOf(options);
  return new Loader({
    ...{ baseDir: basedir, scanner: storage, gzipped, bucket, fields, namespaces, prefix },
    ...{ source, keepPrevious, place },
    swap: (map, info) => threads.swap(set, map, info),
    guards: prefix === undefined ? options.guards : underPrefix(options.guards, prefix),
    sample: () => threads.sample(set),
    onNews: (news) => threads.notify(set, news),
    onCount: count,
    onEvent: (event) => onEvent?.(set, event),
    logger,
    onLoad: (load) => {
      // No third generation beside the serving and the new one: the rest of a stale one goes.
      if (load !== undefined) threads.hurryStale().catch(() => {});
      onLoad?.(load);
    },
  });
}

/** Canaries have the keys of the file; lookups have the prefix as well. */
function underPrefix(
  guards: Guards | undefined,
  { name, delimiter }: KeyPrefix,
): Guards | undefined {
  if (guards?.canaries === undefined) return guards;
  const prefix = Buffer.from(name + delimiter);
  const canaries = guards.canaries.map(({ key, value }) => {
    return { key: Buffer.concat([prefix, key]), value };
  });
  return { ...guards, canaries };
}

/**
 * Counts drops by what became of them and why. What each guard has rejected is there from the start, as 0:
 * an alert sees the first one as an increase.
 */
class LoadCounts {
  readonly #counts = new Map<string, LoadFigures>();

  constructor() {
    this.#set({ outcome: 'taken', reason: '', count: 0 });
    for (const reason of GUARD_CODES) this.#set({ outcome: 'rejected', reason, count: 0 });
  }

  get figures(): readonly LoadFigures[] {
    return [...this.#counts.values()];
  }

  add(name: `loads_${LoadFigures['outcome']}`, reason = ''): void {
    const outcome = name.slice('loads_'.length) as LoadFigures['outcome'];
    const { count = 0 } = this.#counts.get(`${outcome} ${reason}`) ?? {};
    this.#set({ outcome, reason, count: count + 1 });
  }

  #set(figures: LoadFigures): void {
    this.#counts.set(`${figures.outcome} ${figures.reason}`, figures);
  }
}
