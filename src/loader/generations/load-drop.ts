import { dirname, join } from 'node:path';
import {
  GoromdbError,
  isChange,
  isRefusal,
  messageOf,
  provesFileBad,
} from '../../common/errors.ts';
import { remove } from '../../common/files.ts';
import { bounded } from '../../common/notices.ts';
import { explained } from '../../common/system-fault.ts';
import type { Drop, Verdict } from '../../watcher/watcher.ts';
import { generationLeft } from '../drops/left-drop.ts';
import { hiddenReason, setAsideBad } from '../drops/quarantine.ts';
import type { Subject } from '../drops/receipt.ts';
import { outcomeOf } from '../drops/receipt-correction.ts';
import { takeAway } from '../drops/take-away.ts';
import type { KeepPrevious } from '../slots/rollback.ts';
import { TABLE_INCOMING_NAME } from '../slots/slot-table.ts';
import {
  clearSlot,
  emptySlot,
  install,
  isFilled,
  otherSlot,
  type SlotName,
  slotPath,
} from '../slots/slots.ts';
import type { FileLoads, MadeTable } from '../worker/file-loads.ts';
import { type Admission, admitDrop, admitTable } from './admission.ts';
import { infoOf, recordOf, type Seconds } from './loaded.ts';
import type { LoaderParts } from './loader-parts.ts';
import { servedAlready, takeSameAgain } from './same-again.ts';

/** What a drop is to be let in by, and what becomes of the generation before it. */
export interface DropRules extends Admission {
  readonly keepPrevious?: KeepPrevious | undefined;
}

/**
 * Takes a dropped file into service: verify, scan, index, guards, move into the idle slot, switch.
 * Whatever is wrong with it, what was served is served on.
 *
 * @param signal Gives it up.
 * @throws What says nothing about the file, such as a full disk: the drop stays.
 */
export async function loadDrop(
  parts: LoaderParts,
  rules: DropRules,
  drop: Drop,
  signal: AbortSignal,
): Promise<Verdict> {
  const { base, generations, logger } = parts;
  const left = await generationLeft(base.path, drop);
  if (left !== undefined) {
    logger.warn(`${drop.file} was taken as generation ${left}, and is not loaded again`);
    return { kind: 'taken' };
  }
  const slot = generations.nextSlot;
  try {
    const same = drop.force ? undefined : await servedAlready(parts, drop);
    if (same !== undefined) return await takeSameAgain(parts, drop, subjectOf(drop), same, signal);
    // The table is written in the slot: no other folder may be in its place.
    await base.openSlot(slot);
    await admitDrop(drop, slotPath(base.path, slot), generations.standing);
    const result = await makeTable(parts, drop, slot, signal);
    if (result.kind !== 'table') return result;
    try {
      const record = recordOf(generations.nextNumber, drop.file, drop.md5, result);
      const info = infoOf(record, result.map);
      const { notices } = result;
      const more = await admitTable(drop, { ...result, info }, generations.standing, rules);
      // What served was damaged meanwhile, and serves again from the slot that was idle.
      if (generations.nextSlot !== slot) return { kind: 'changed' };
      const admitted = { ...result, notices: [...notices, ...more.map(bounded)] };
      await serve(parts, rules, drop, admitted, { slot, signal });
      return { kind: 'taken' };
    } finally {
      result.map.release();
    }
  } catch (caught) {
    const error = explained(caught, base.path);
    if (isChange(error)) return { kind: 'changed' };
    if (provesFileBad(error) || isRefusal(error)) return await reject(parts, drop, error);
    tellFailure(parts, drop, error, signal);
    throw error;
  } finally {
    // It is still there if it was not taken.
    await remove(join(base.path, slot, TABLE_INCOMING_NAME)).catch(() => {});
  }
}

/** On a full disk, the generation that the slot holds gives way. */
async function makeTable(
  { base, files, generations, receipts }: LoaderParts,
  drop: Drop,
  slot: SlotName,
  signal: AbortSignal,
): ReturnType<FileLoads['run']> {
  const { file: path, md5, identity: expected, isLinked } = drop;
  const folder = dirname(slotPath(base.path, slot));
  const follow = receipts.follow.bind(receipts, subjectOf(drop));
  const load = { path, md5, expected, isLinked, folder, signal, follow };
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

async function serve(
  { base, generations, receipts, logger }: LoaderParts,
  { keepPrevious }: DropRules,
  drop: Drop,
  result: MadeTable,
  { slot, signal }: { readonly slot: SlotName; readonly signal: AbortSignal },
): Promise<void> {
  const { identity, isCopy, map } = result;
  const record = recordOf(generations.nextNumber, drop.file, drop.md5, result);
  const startMs = performance.now();
  await base.check();
  await install(base.path, slot, { file: drop.file, identity, record, isCopy }, signal);
  generations.use(record.generation);
  await takeAway({ base, logger }, drop, identity, slot, record);
  const before: Seconds = { ...result.seconds, move: (performance.now() - startMs) / 1000 };
  const loaded = { record, map, seconds: before };
  const seconds = await generations.switch(slot, loaded, before);
  receipts.say(subjectOf(drop), outcomeOf(slot, record, seconds));
  if (keepPrevious !== 'no') return;
  generations.releasePrevious();
  await emptySlot(base.path, otherSlot(slot)).catch((error: unknown) => {
    logger.warn(`slot ${otherSlot(slot)} could not be emptied (${messageOf(error)})`);
  });
}

async function reject(
  { base, generations, receipts, events, logger }: LoaderParts,
  drop: Drop,
  error: GoromdbError,
): Promise<Verdict> {
  const rejection = await setAsideBad(drop, error, base.path, generations.serving);
  if (rejection === undefined) return { kind: 'changed' };
  logger.error(rejection.line);
  events.add('rejected', drop.isLinked ? hiddenReason(drop) : rejection.line, error.code);
  receipts.say(subjectOf(drop), rejection.outcome);
  return { kind: 'rejected' };
}

/** The watcher says what happens next. */
function tellFailure(
  { events, receipts }: LoaderParts,
  drop: Drop,
  error: unknown,
  signal: AbortSignal,
): void {
  const reason = drop.isLinked ? `loading ${drop.file} failed: see the log` : messageOf(error);
  if (!signal.aborted) {
    events.add('failed', reason, error instanceof GoromdbError ? error.code : 'LOADER_FAILED');
    return;
  }
  events.add('given up', reason);
  receipts.say(subjectOf(drop), {
    state: 'waiting',
    code: 'LOADER_FAILED',
    reason: 'its load was stopped: another file has come, or the server has ended',
  });
}

function subjectOf({ file, md5, identity, isLinked }: Drop): Subject {
  return { file, md5, bytes: Number(identity.size), isLinked };
}
