import { dirname, join } from 'node:path';
import { codeOf, GoromdbError, isChange, messageOf, mustReject } from '../../common/errors.ts';
import { remove } from '../../common/files.ts';
import { bounded } from '../../common/notices.ts';
import { explained } from '../../common/system-fault.ts';
import { clearSlot, emptySlot, install, isFilled } from '../slots/install.ts';
import { TABLE_INCOMING_NAME } from '../slots/slot-table.ts';
import {
  otherSlot,
  readSlots,
  type SlotName,
  type SlotRecord,
  slotPath,
  writeRecord,
} from '../slots/slots.ts';
import type { FileLoad, FileLoads, MadeTable } from '../worker/file-loads.ts';
import type { Progress } from '../worker/progress.ts';
import { admitOffer, admitTable } from './admission.ts';
import { infoOf, type LoaderParts, recordOf } from './generations.ts';
import type { Offer, OfferNews, Verdict } from './source.ts';

/**
 * An offer on its way into service: a table is made of it in the idle slot, held there, and swapped in.
 * Whatever is wrong with it, the serving generation keeps serving; a crash leaves nothing of what is
 * held.
 */
export class OfferLoad {
  readonly #parts: LoaderParts;
  readonly #offer: Offer;
  readonly #number: number | undefined;
  readonly #slot: SlotName;
  #made: MadeTable | undefined;
  #isOver = false;

  /**
   * @param number The generation that it is to be; undefined: the next one, and none if it was taken.
   */
  constructor(parts: LoaderParts, offer: Offer, number?: number) {
    this.#parts = parts;
    this.#offer = offer;
    this.#number = number;
    this.#slot = parts.generations.nextSlot;
  }

  /**
   * Makes the table: verify, scan, index, guards.
   *
   * @returns What the offer came to; undefined: its table is held.
   * @throws What says nothing about the file, such as a full disk: the offer is worth another try.
   */
  async stage(signal: AbortSignal): Promise<Verdict | undefined> {
    let isHeld = false;
    try {
      const verdict = await settled(this.#parts, this.#offer, signal, () => this.#stage(signal));
      isHeld = verdict === undefined;
      return verdict;
    } finally {
      if (!isHeld) await this.release();
    }
  }

  /**
   * Moves the file into the slot, and swaps the table in. Nothing is held afterwards.
   *
   * @param signal Stops a copy.
   * @returns `changed` also when it was released, or its slot serves by now.
   * @throws As `stage`.
   */
  swap(signal: AbortSignal): Promise<Verdict> {
    return settled<Verdict>(this.#parts, this.#offer, signal, async () => {
      const isIdle = this.#parts.generations.nextSlot === this.#slot;
      if (this.#made === undefined || !isIdle) return { kind: 'changed' };
      await this.#serve(this.#made, signal);
      return { kind: 'taken' };
    }).finally(() => this.release());
  }

  /** Lets go of the table, and removes it unless it serves. Safe to call twice. */
  async release(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#made?.map.release();
    this.#made = undefined;
    await remove(join(this.#parts.base.path, this.#slot, TABLE_INCOMING_NAME)).catch(() => {});
  }

  async #stage(signal: AbortSignal): Promise<Verdict | undefined> {
    const isNext = this.#number === undefined;
    const taken = isNext ? await findTaken(this.#parts, this.#offer) : undefined;
    if (taken === undefined) return this.#make(signal);
    if (!taken.isLeft) return this.#takeAgain(signal);
    const what = `was taken as generation ${taken.record.generation}`;
    const fields = { event: 'drop-taken-before', path: this.#offer.path } as const;
    this.#parts.logger.warn(`${this.#offer.name} ${what}, and is not loaded again`, fields);
    return { kind: 'taken' };
  }

  /** Removes an offer that has the MD5 of the serving generation, if that MD5 is right. */
  async #takeAgain(signal: AbortSignal): Promise<Verdict> {
    const { files, events, logger } = this.#parts;
    const result = await files.verify(this.#fileLoad(signal));
    if (result.kind !== 'verified') return result;
    // A scrub may have found damage meanwhile, which this offer can mend.
    const taken = await findTaken(this.#parts, this.#offer);
    if (taken === undefined) return { kind: 'changed' };
    const { slot, record } = taken;
    const what = `what generation ${record.generation} serves already (md5 ${record.md5})`;
    const text = `${this.#offer.name} is ${what}, and is not loaded again`;
    const { generation } = record;
    logger.info(text, { event: 'drop-serves-already', generation, path: this.#offer.path });
    events.add('serving', text);
    await this.#remove(slot, record);
    this.#offer.notify({ state: 'serving', slot, record, seconds: result.seconds });
    return { kind: 'taken' };
  }

  async #make(signal: AbortSignal): Promise<Verdict | undefined> {
    const { base, generations, rules } = this.#parts;
    const offer = this.#offer;
    const number = generations.numberFor(this.#number);
    // The table is written in the slot: no other folder may be in its place.
    await base.openSlot(this.#slot);
    await admitOffer(offer, slotPath(base.path, this.#slot), generations.baseline);
    const made = await this.#makeTable(signal);
    if (made.kind !== 'table') return made;
    this.#made = made;
    const info = infoOf(recordOf(number, offer, made), made.map);
    const more = await admitTable(offer, { ...made, info }, generations.baseline, rules);
    this.#made = { ...made, notices: [...made.notices, ...more.map(bounded)] };
    return undefined;
  }

  /** On a full disk, the generation that the slot holds gives way. */
  async #makeTable(signal: AbortSignal): ReturnType<FileLoads['run']> {
    const { base, files, generations } = this.#parts;
    const folder = dirname(slotPath(base.path, this.#slot));
    const load = { ...this.#fileLoad(signal), folder };
    try {
      return await files.run(load);
    } catch (error) {
      const isFull = error instanceof GoromdbError && error.code === 'DISK_FULL';
      if (!isFull || !(await isFilled(folder))) throw error;
      generations.releasePrevious();
      await clearSlot(folder);
      return await files.run(load);
    }
  }

  #fileLoad(signal: AbortSignal): Omit<FileLoad, 'folder'> {
    const { path, md5, identity: expected, isLinked } = this.#offer;
    const onProgress = (progress: Progress): void =>
      this.#offer.notify(newsOf(progress, Number(expected.size)));
    return { path, md5, expected, isLinked, signal, onProgress };
  }

  async #serve(made: MadeTable, signal: AbortSignal): Promise<void> {
    const { base, generations, rules } = this.#parts;
    const { identity, isCopy, map } = made;
    const record = recordOf(generations.numberFor(this.#number), this.#offer, made);
    const startMs = performance.now();
    await base.check();
    const installation = { file: this.#offer.path, identity, record, isCopy };
    await install(base.path, this.#slot, installation, signal);
    generations.use(record.generation);
    await this.#remove(this.#slot, record);
    const seconds = { ...made.seconds, move: (performance.now() - startMs) / 1000 };
    const now = await generations.swap(this.#slot, { record, map, seconds });
    this.#offer.notify({ state: 'serving', ...now });
    if (rules.keepPrevious === 'no') await this.#emptyOther();
  }

  /** A slot holds its content. If it stays, the slot's record says so: it must not be loaded again. */
  async #remove(slot: SlotName, record: SlotRecord): Promise<void> {
    const left = await this.#offer.remove();
    if (left === undefined) return;
    await writeRecord(this.#parts.base.path, slot, { ...record, left }).catch(() => {});
  }

  async #emptyOther(): Promise<void> {
    const { base, generations, logger } = this.#parts;
    const other = otherSlot(this.#slot);
    generations.releasePrevious();
    await emptySlot(base.path, other).catch((error: unknown) => {
      const fields = { event: 'slot-not-emptied', code: codeOf(error) } as const;
      logger.warn(`slot ${other} could not be emptied (${messageOf(error)})`, fields);
    });
  }
}

function newsOf({ stage, bytes }: Progress, size: number): OfferNews {
  const percent = size > 0 ? Math.min(100, Math.floor((bytes * 100) / size)) : 0;
  return stage === 'verify'
    ? { state: 'verifying', percent }
    : { state: 'loading', stage, percent };
}

/**
 * Does a part of a load; what it throws about the offer becomes a verdict.
 *
 * @param signal What may have stopped it.
 * @throws What says nothing about the file: the source knows what happens next.
 */
async function settled<Result>(
  parts: LoaderParts,
  offer: Offer,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result | Verdict> {
  try {
    return await work();
  } catch (caught) {
    const error = explained(caught, parts.base.path);
    if (isChange(error)) return { kind: 'changed' };
    if (mustReject(error)) return await reject(parts, offer, error);
    noteFailure(parts, offer, error, signal);
    throw error;
  }
}

async function reject(
  { base, generations, events, logger }: LoaderParts,
  offer: Offer,
  { message, code, numbers }: GoromdbError,
): Promise<Verdict> {
  const { name, path, isLinked } = offer;
  // Scanners name the file in front, others do not.
  const reason = message.startsWith(path) ? message : `${name}: ${message}`;
  const hidden =
    `${name} is refused. Why is in the log of the server, not here, since the file is reached ` +
    'by a link, or has a second name';
  const whereabouts = await offer.reject(
    isLinked ? { code, reason: hidden } : { code, reason, numbers },
  );
  if (whereabouts === undefined) return { kind: 'changed' };
  const { serving } = generations;
  const now =
    serving === undefined
      ? 'no data is served yet'
      : `generation ${serving.generation} from ${slotPath(base.path, serving.slot)} keeps serving`;
  const line = `rejected ${reason} (${code}); ${whereabouts}; ${now}`;
  logger.error(line, { event: 'drop-rejected', code });
  events.add('rejected', isLinked ? hidden : line, code);
  return { kind: 'rejected' };
}

function noteFailure(
  { events }: LoaderParts,
  offer: Offer,
  error: unknown,
  { aborted }: AbortSignal,
): void {
  const { name, isLinked } = offer;
  const reason = isLinked ? `loading ${name} failed: see the log` : messageOf(error);
  if (!aborted) {
    events.add('failed', reason, error instanceof GoromdbError ? error.code : 'LOADER_FAILED');
    return;
  }
  events.add('aborted', reason);
  offer.notify({
    state: 'waiting',
    code: 'LOADER_FAILED',
    reason: 'its load was stopped: another file has come, or the server has ended',
  });
}

/** A generation that an offer need not be loaded for again. */
interface TakenBefore {
  readonly slot: SlotName;
  readonly record: SlotRecord;
  /**
   * Whether it is of this very offer, which its source could not remove: to load it again, as at the
   * next start, would undo a rollback. Else it serves, and was made of the same MD5 by the options of
   * today: to load the same again would only push out the generation to go back to.
   */
  readonly isLeft: boolean;
}

/** The file of the serving generation counts as sound, unless a scrub has found damage. */
async function findTaken(
  { base, files, generations: { serving } }: LoaderParts,
  offer: Offer,
): Promise<TakenBefore | undefined> {
  let same: TakenBefore | undefined;
  for (const { name: slot, md5, record } of await readSlots(base.path, () => {})) {
    if (record === undefined || md5 !== offer.md5) continue;
    const { left, generation, table } = record;
    if (left !== undefined && (await offer.isLeft(left))) return { slot, record, isLeft: true };
    const isServing = slot === serving?.slot && generation === serving.generation;
    const isSound = serving?.fileFault === undefined && table?.recipe === files.recipe;
    if (isServing && isSound && !offer.force) same = { slot, record, isLeft: false };
  }
  return same;
}
