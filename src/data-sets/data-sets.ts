/**
 * What belongs in this folder: the data sets of a process, each with its source and its loader.
 *
 * The data sets of one process, and how they become others while it serves.
 */
import os from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { inParallel } from '../common/in-parallel.ts';
import type { Logger } from '../common/log.ts';
import type { DataSetStatus, Metric } from '../common/status.ts';
import { Turns } from '../common/turns.ts';
import type { Control } from '../control/control.ts';
import { DATA_SETS_MAX } from '../handler/data-sets.ts';
import { dataSetMetrics } from '../protocol/fields.ts';
import { checkScanner } from '../storage/formats/formats.ts';
import { checkSelection } from '../storage/formats/selection.ts';
import { checkConflicts, identitiesOf } from './conflicts.ts';
import { DataSet, type DataSetShare, nameOf, type PlacedDataSet, setOf } from './data-set.ts';

/**
 * Data sets that are loaded from their slots at one time: as many as there are processors, but no more
 * than a disk reads well.
 */
const LOADS_AT_ONCE = Math.min(4, os.availableParallelism());

/** What there is to be. */
export interface Plan {
  readonly sets: readonly PlacedDataSet[];
}

/** A data set that is about to come, with its base folder taken. */
interface Incoming {
  readonly options: PlacedDataSet;
  /** Of a folder that a data set of this process has now. */
  readonly donor: DataSet | undefined;
  readonly control: Control;
}

/** @throws GoromdbError OPTION_INVALID. */
export async function checkPlan({ sets }: Plan): Promise<void> {
  if (sets.length === 0)
    throw new GoromdbError('OPTION_INVALID', 'expected a data set, found none');
  for (const { storage, bucket, fields, namespaces } of sets) {
    // Threads find their parts themselves; a scanner would be missed at the first drop only.
    await checkScanner(storage);
    checkSelection({ storage, bucket, fields, namespaces });
  }
  checkConflicts(sets);
}

/** Looks after the data sets. What is done to them is done one after the other. */
export class DataSets {
  readonly #share: DataSetShare;
  readonly #isNamed: boolean;
  #sets: ReadonlyMap<string, DataSet> = new Map();
  #address = '';
  readonly #turns = new Turns<'take' | 'change'>();
  #isClosing = false;

  /** @param isNamed Whether there are several, so that each line in the log says whose it is. */
  constructor(share: DataSetShare, isNamed: boolean) {
    this.#share = share;
    this.#isNamed = isNamed;
  }

  /**
   * Takes the base folders, and prepares the slots.
   *
   * @throws GoromdbError FOLDER_IN_USE, FOLDER_UNUSABLE; then none is taken.
   */
  take(plan: Plan): Promise<void> {
    return this.#turns.take('take', () => this.#take(plan));
  }

  async #take(plan: Plan): Promise<void> {
    const made = await this.#prepare(await this.#takeFolders(plan.sets, []));
    this.#sets = new Map(made.map((set) => [set.set, set]));
  }

  /** Serves what is in the slots. @returns What a log should say of those without data. */
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

  /** Waits for files from now on. @param address Where the server listens. */
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
   * Goes over to other data sets: adds, changes and takes away, and leaves alone what stays the same.
   * One that changes keeps serving what it has until it has something new; so does one whose base
   * folder goes on under another prefix.
   *
   * @throws GoromdbError OPTION_INVALID, FOLDER_IN_USE, FOLDER_UNUSABLE; then all is as it was.
   */
  change(plan: Plan): Promise<void> {
    return this.#turns.take('change', () => this.#change(plan));
  }

  async #change(plan: Plan): Promise<void> {
    if (this.#isClosing) return;
    await checkPlan(plan);
    const before = this.#sets;
    const isSame = (options: PlacedDataSet): boolean =>
      isDeepStrictEqual(before.get(setOf(options))?.options, options);
    const names = new Set(plan.sets.map(setOf));
    const coming = plan.sets.filter((options) => !isSame(options));
    const comingNames = new Set(coming.map(setOf));
    const going = [...before.values()].filter(({ set }) => comingNames.has(set) || !names.has(set));
    const incoming = await this.#takeFolders(coming, going);
    const made = new Map<PlacedDataSet, DataSet>();
    // From here on nothing is refused any more, but that a folder was taken away meanwhile.
    const fresh = incoming.filter(({ donor }) => donor === undefined);
    for (const set of await this.#prepare(fresh)) made.set(set.options, set);
    const donors = new Set(incoming.map(({ donor }) => donor));
    await this.#stop(going, donors);
    const gone = going.filter(({ set }) => !names.has(set));
    // One whose folder goes on under another prefix serves until that does: no key is a miss meanwhile.
    const count = new Set([...before.keys(), ...names]).size;
    const isRenamed = (set: DataSet): boolean => donors.has(set) && count <= DATA_SETS_MAX;
    await this.#remove(gone.filter((set) => !isRenamed(set)));
    for (const { options, control, donor } of incoming) {
      if (donor !== undefined) made.set(options, this.#make(options, control));
    }
    const staying = [...before].filter(([set]) => names.has(set) && !comingNames.has(set));
    this.#sets = new Map([...staying, ...[...made.values()].map((set) => [set.set, set] as const)]);
    this.#tell(before, coming, going, names);
    await inParallel([...made.values()], LOADS_AT_ONCE, (set) => this.#begin(set));
    await this.#remove(gone.filter(isRenamed));
  }

  async #remove(sets: readonly DataSet[]): Promise<void> {
    for (const { set } of sets) await this.#share.threads.remove(set);
  }

  #tell(
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
    );
  }

  /** Serves a data set that has come, beside the others. */
  async #begin(set: DataSet): Promise<void> {
    const { logger, threads } = this.#share;
    const name = this.#name(set.options);
    try {
      await set.prepare();
      if (!(await set.recover())) {
        const hasServed = threads.served(set.set) !== undefined;
        const lack = hasServed
          ? `it keeps serving what it has until ${set.options.file} is loaded`
          : await set.describeLack();
        await threads.add(set.set);
        logger.info(name + lack);
      }
    } catch (error) {
      logger.error(`${name}it serves nothing new: ${messageOf(error)}`);
    }
    set.watch(this.#address);
  }

  /** Takes no files any more, and changes no more. */
  async unwatch(): Promise<void> {
    this.#isClosing = true;
    await this.#turns.idle();
    await Promise.all([...this.#sets.values()].map((set) => set.unwatch()));
  }

  /** Ends the work on all of them, and gives their folders back. */
  async close(): Promise<void> {
    await this.unwatch();
    const sets = [...this.#sets.values()];
    this.#sets = new Map();
    await this.#stop(sets, new Set());
  }

  /** @param donors Those whose folders are kept. */
  async #stop(sets: readonly DataSet[], donors: ReadonlySet<DataSet | undefined>): Promise<void> {
    await Promise.all(sets.map((set) => set.stop()));
    for (const set of sets) {
      if (!donors.has(set)) await set.control.close();
    }
  }

  /** @param going Data sets whose folders may be had. */
  async #takeFolders(
    sets: readonly PlacedDataSet[],
    going: readonly DataSet[],
  ): Promise<readonly Incoming[]> {
    const incoming: Incoming[] = [];
    try {
      for (const options of sets) {
        const donor = going.find((one) => isSameFolder(one.options.basedir, options.basedir));
        const logger = this.#loggerFor(options);
        const control = donor?.control ?? (await DataSet.take(options, logger));
        incoming.push({ options, donor, control });
      }
      return incoming;
    } catch (error) {
      await giveBack(incoming);
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
      await giveBack(incoming);
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
    const name = this.#name(options);
    return {
      info: (message) => logger.info(name + message),
      warn: (message) => logger.warn(name + message),
      error: (message) => logger.error(name + message),
    };
  }
}

function isSameFolder(one: string, other: string): boolean {
  const identities = new Set(identitiesOf(one));
  return identitiesOf(other).some((identity) => identities.has(identity));
}

async function giveBack(incoming: readonly Incoming[]): Promise<void> {
  for (const { donor, control } of incoming) {
    if (donor === undefined) await control.close();
  }
}
