/**
 * What belongs in this folder: the data sets of a process, each with its source and its loader.
 *
 * The data sets of one process, and how they change while it serves.
 */
import os from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { codeOf, GoromdbError, messageOf } from '../common/errors.ts';
import { inParallel } from '../common/in-parallel.ts';
import { type Logger, loggerAbout } from '../common/log.ts';
import type { DataSetStatus, Metric } from '../common/status.ts';
import { Turns } from '../common/turns.ts';
import type { Control } from '../control/control.ts';
import type { LockHandle } from '../control/folder-lock.ts';
import { DATA_SETS_MAX } from '../handler/data-sets.ts';
import { dataSetMetrics } from '../protocol/fields.ts';
import { checkScanner } from '../storage/formats/formats.ts';
import { checkSelection } from '../storage/formats/selection.ts';
import { checkConflicts, identitiesOf } from './conflicts.ts';
import { DataSet, type DataSetShare, nameOf, type PlacedDataSet, setOf } from './data-set.ts';

/** Data sets that load from their slots at one time: one for each processor, up to what a disk bears. */
const LOADS_AT_ONCE = Math.min(4, os.availableParallelism());

/** The data sets that a process should have. */
export interface Plan {
  readonly sets: readonly PlacedDataSet[];
}

/** A data set that is about to be added, with its base folder locked. */
interface Incoming {
  readonly options: PlacedDataSet;
  /** The data set of this process that has the folder now. */
  readonly donor: DataSet | undefined;
  readonly control: Control;
}

/** @throws GoromdbError OPTION_INVALID. */
export async function checkPlan({ sets }: Plan): Promise<void> {
  if (sets.length === 0)
    throw new GoromdbError('OPTION_INVALID', 'expected a data set, found none');
  for (const { storage, bucket, fields, namespaces } of sets) {
    // Without this, a missing scanner would show at the first drop only.
    await checkScanner(storage);
    checkSelection({ storage, bucket, fields, namespaces });
  }
  checkConflicts(sets);
}

/** Adds, changes and removes data sets, one change at a time. */
export class DataSets {
  readonly #share: DataSetShare;
  readonly #isNamed: boolean;
  #sets: ReadonlyMap<string, DataSet> = new Map();
  #address = '';
  readonly #turns = new Turns<'take' | 'change' | 'pause' | 'resume'>();
  #isClosing = false;
  /** A process that takes over looks after the folders: see `pause`. */
  #isPaused = false;

  /** @param isNamed Whether each line in the log names its data set. */
  constructor(share: DataSetShare, isNamed: boolean) {
    this.#share = share;
    this.#isNamed = isNamed;
  }

  /**
   * Locks the base folders, and prepares the slots.
   *
   * @throws GoromdbError FOLDER_IN_USE, FOLDER_UNUSABLE; then none is locked.
   */
  take(plan: Plan): Promise<void> {
    return this.#turns.take('take', () => this.#take(plan));
  }

  async #take(plan: Plan): Promise<void> {
    const made = await this.#prepare(await this.#lockFolders(plan.sets, []));
    this.#sets = new Map(made.map((set) => [set.set, set]));
  }

  /** Serves what is in the slots. @returns For the log: why there is no data, of each without. */
  async recover(): Promise<readonly string[]> {
    const lacks = new Map<DataSet, string>();
    const sets = [...this.#sets.values()];
    await inParallel(sets, LOADS_AT_ONCE, async (set) => {
      if (await set.recover()) return;
      await this.#share.threads.add(set.set);
      lacks.set(set, this.#name(set.options) + (await set.describeLack()));
    });
    return sets.flatMap((set) => lacks.get(set) ?? []);
  }

  get status(): readonly DataSetStatus[] {
    return [...this.#sets.values()].map((set) => set.status);
  }

  get metrics(): readonly Metric[] {
    return dataSetMetrics([...this.#sets.values()].map((set) => set.figures));
  }

  /** Waits for files from now on. @param address Of the server. */
  watch(address: string): void {
    this.#address = address;
    for (const set of this.#sets.values()) set.watch(address);
  }

  /** @throws GoromdbError OPTION_INVALID when no data set has this prefix. */
  named(prefix: string): DataSet {
    const set = this.#sets.get(prefix);
    if (set !== undefined) return set;
    const message = `there is no data set ${JSON.stringify(prefix)}; expected one of ${JSON.stringify([...this.#sets.keys()])}`;
    throw new GoromdbError('OPTION_INVALID', message);
  }

  look(): void {
    for (const set of this.#sets.values()) set.look();
  }

  /**
   * Adds, changes and removes data sets until they are as planned; an unchanged one is left alone. A
   * changed one keeps serving until it has something new; so does one whose base folder gets another
   * prefix.
   *
   * @throws GoromdbError OPTION_INVALID, FOLDER_IN_USE, FOLDER_UNUSABLE; then all is as it was.
   */
  change(plan: Plan): Promise<void> {
    return this.#turns.take('change', () => this.#change(plan));
  }

  async #change(plan: Plan): Promise<void> {
    if (this.#isClosing) return;
    if (this.#isPaused) {
      throw new GoromdbError('UPGRADE_FAILED', 'a new process is about to take over: ask it');
    }
    await checkPlan(plan);
    const before = this.#sets;
    const isSame = (options: PlacedDataSet): boolean =>
      isDeepStrictEqual(before.get(setOf(options))?.options, options);
    const names = new Set(plan.sets.map(setOf));
    const coming = plan.sets.filter((options) => !isSame(options));
    const comingNames = new Set(coming.map(setOf));
    const going = [...before.values()].filter(({ set }) => comingNames.has(set) || !names.has(set));
    const incoming = await this.#lockFolders(coming, going);
    const made = new Map<PlacedDataSet, DataSet>();
    // From here on nothing is refused, unless somebody has removed a folder meanwhile.
    const fresh = incoming.filter(({ donor }) => donor === undefined);
    for (const set of await this.#prepare(fresh)) made.set(set.options, set);
    const donors = new Set(incoming.map(({ donor }) => donor));
    await this.#stop(going, donors);
    const gone = going.filter(({ set }) => !names.has(set));
    // A data set whose folder gets another prefix serves until the other does: no key is a miss.
    const count = new Set([...before.keys(), ...names]).size;
    const isRenamed = (set: DataSet): boolean => donors.has(set) && count <= DATA_SETS_MAX;
    await this.#remove(gone.filter((set) => !isRenamed(set)));
    for (const { options, control, donor } of incoming) {
      if (donor !== undefined) made.set(options, this.#make(options, control));
    }
    const staying = [...before].filter(([set]) => names.has(set) && !comingNames.has(set));
    this.#sets = new Map([...staying, ...[...made.values()].map((set) => [set.set, set] as const)]);
    this.#log(before, coming, going, names);
    await inParallel([...made.values()], LOADS_AT_ONCE, (set) => this.#begin(set));
    await this.#remove(gone.filter(isRenamed));
  }

  async #remove(sets: readonly DataSet[]): Promise<void> {
    for (const { set } of sets) await this.#share.threads.remove(set);
  }

  #log(
    before: ReadonlyMap<string, DataSet>,
    coming: readonly PlacedDataSet[],
    going: readonly DataSet[],
    names: ReadonlySet<string>,
  ): void {
    const list = (sets: readonly PlacedDataSet[]): string => sets.map(nameOf).join(', ') || 'none';
    const added = coming.filter((options) => !before.has(setOf(options)));
    const changed = coming.filter((options) => before.has(setOf(options)));
    const gone = going.filter(({ set }) => !names.has(set)).map(({ options }) => options);
    this.#share.logger.info(
      `data sets: added ${list(added)}; changed ${list(changed)}; removed ${list(gone)}`,
      { event: 'data-sets-changed' },
    );
  }

  /** Serves a data set that was added or changed, beside the others. */
  async #begin(set: DataSet): Promise<void> {
    const { threads } = this.#share;
    const logger = this.#loggerFor(set.options);
    try {
      await set.prepare();
      if (!(await set.recover())) {
        const hasServed = threads.served(set.set) !== undefined;
        const lack = hasServed
          ? `it keeps serving what it has until ${set.options.file} is loaded`
          : await set.describeLack();
        await threads.add(set.set);
        logger.info(lack, { event: 'data-set-lacks-data' });
      }
    } catch (error) {
      const fields = { event: 'data-set-failed', code: codeOf(error) } as const;
      logger.error(`it serves nothing new: ${messageOf(error)}`, fields);
    }
    set.watch(this.#address);
  }

  /** The locks of the base folders, for a process that takes over. */
  get locks(): readonly LockHandle[] {
    return [...this.#sets.values()].flatMap(({ control }) => control.lock ?? []);
  }

  /**
   * Writes nothing to the base folders any more, and watches no drops: a process that takes over does.
   * What is served keeps serving, and the folders stay locked.
   */
  pause(): Promise<void> {
    return this.#turns.take('pause', async () => {
      this.#isPaused = true;
      await Promise.all([...this.#sets.values()].map((set) => set.stop()));
    });
  }

  /** Looks after the folders again, as after a start: another process may have written there. */
  resume(): Promise<void> {
    return this.#turns.take('resume', async () => {
      if (this.#isClosing) return;
      const made = [...this.#sets.values()].map(({ options, control }) =>
        this.#make(options, control),
      );
      this.#sets = new Map(made.map((set) => [set.set, set]));
      for (const { control } of made) await control.open();
      await inParallel(made, LOADS_AT_ONCE, (set) => this.#begin(set));
      this.#isPaused = false;
    });
  }

  /** Answers commands in the place of the process that this one takes over from. */
  async openControls(): Promise<void> {
    for (const { control } of this.#sets.values()) await control.open();
  }

  /** Another process has the folders, and answers commands. */
  async handOver(): Promise<void> {
    this.#isClosing = true;
    const sets = [...this.#sets.values()];
    this.#sets = new Map();
    for (const { control } of sets) await control.handOver();
  }

  /** Takes no files and makes no changes any more. */
  async unwatch(): Promise<void> {
    this.#isClosing = true;
    await this.#turns.idle();
    await Promise.all([...this.#sets.values()].map((set) => set.unwatch()));
  }

  /** Ends the work on all of them, and releases their folders. */
  async close(): Promise<void> {
    await this.unwatch();
    const sets = [...this.#sets.values()];
    this.#sets = new Map();
    await this.#stop(sets, new Set());
  }

  /** @param donors Their folders stay locked. */
  async #stop(sets: readonly DataSet[], donors: ReadonlySet<DataSet | undefined>): Promise<void> {
    await Promise.all(sets.map((set) => set.stop()));
    for (const set of sets) {
      if (!donors.has(set)) await set.control.close();
    }
  }

  /** @param going Data sets whose folders are free for others. */
  async #lockFolders(
    sets: readonly PlacedDataSet[],
    going: readonly DataSet[],
  ): Promise<readonly Incoming[]> {
    const incoming: Incoming[] = [];
    try {
      for (const options of sets) {
        const donor = going.find((one) => isSameFolder(one.options.basedir, options.basedir));
        const logger = this.#loggerFor(options);
        const control = donor?.control ?? (await DataSet.take(options, logger, this.#share.locks));
        incoming.push({ options, donor, control });
      }
      return incoming;
    } catch (error) {
      await releaseFolders(incoming);
      throw error;
    }
  }

  async #prepare(incoming: readonly Incoming[]): Promise<readonly DataSet[]> {
    const made = incoming.map(({ options, control }) => this.#make(options, control));
    try {
      for (const set of made) await set.prepare();
      return made;
    } catch (error) {
      await Promise.all(made.map((set) => set.stop()));
      await releaseFolders(incoming);
      throw error;
    }
  }

  #make(options: PlacedDataSet, control: Control): DataSet {
    const share = { ...this.#share, logger: this.#loggerFor(options) };
    return new DataSet(options, control, share);
  }

  #name(options: PlacedDataSet): string {
    return this.#isNamed ? `${nameOf(options)}: ` : '';
  }

  #loggerFor(options: PlacedDataSet): Logger {
    const { logger } = this.#share;
    if (!this.#isNamed) return logger;
    return loggerAbout(logger, this.#name(options), { dataSet: setOf(options) });
  }
}

function isSameFolder(one: string, other: string): boolean {
  const identities = new Set(identitiesOf(one));
  return identitiesOf(other).some((identity) => identities.has(identity));
}

async function releaseFolders(incoming: readonly Incoming[]): Promise<void> {
  for (const { donor, control } of incoming) {
    if (donor === undefined) await control.close();
  }
}
