import { dirname, join } from 'node:path';
import { GoromdbError, isRefusal, messageOf, provesFileBad } from '../errors.ts';
import { isMap } from '../storage/table.ts';
import { explained } from '../system-fault.ts';
import type { Drop, Verdict } from '../watcher/watcher.ts';
import { type Admission, admitDrop, admitTable } from './admission.ts';
import { makeFolder } from './folder.ts';
import { generationLeft, noteLeft } from './left-drop.ts';
import { infoOf, type LoadedFile, recordOf, type Seconds } from './loaded.ts';
import type { LoaderParts } from './loader-parts.ts';
import { outcomeOf } from './receipt-correction.ts';
import type { KeepPrevious } from './rollback.ts';
import { setAsideBad } from './set-aside.ts';
import { MAP_INCOMING_NAME, MAP_NAME, nameForServing, removeServingName } from './slot-map.ts';
import { emptySlot, install, otherSlot, removeDrop, type SlotName, slotPath } from './slots.ts';

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
  const { base, files, generations, receipts, logger } = parts;
  const left = await generationLeft(base.path, drop);
  if (left !== undefined) {
    logger.warn(`${drop.file} was taken as generation ${left}, and is not loaded again`);
    return { kind: 'taken' };
  }
  await generations.releasePrevious();
  try {
    // A map is written in the slot: no other folder may be in its place.
    await base.check();
    const slot = generations.nextSlot;
    const slotFile = slotPath(base.path, slot);
    const isToMap = await admitDrop(drop, slotFile, generations.standing, rules);
    const { file: path, md5 } = drop;
    const follow = receipts.follow.bind(receipts, subjectOf(drop));
    const isBeside = generations.serving !== undefined;
    const load = { path, md5, slotFile, isDrop: true, isBeside, isToMap, signal, follow };
    const result = await files.run(load);
    if (result.kind !== 'table') return result;
    await admit(parts, rules, drop, result, dirname(slotFile));
    // What served was lost with a thread meanwhile, and serves again from the slot that was idle.
    if (generations.nextSlot !== slot) return { kind: 'changed' };
    await serve(parts, rules, drop, result, { slot, signal });
    return { kind: 'taken' };
  } catch (caught) {
    const error = explained(caught, base.path);
    if (isChange(error)) return { kind: 'changed' };
    if (provesFileBad(error) || isRefusal(error)) return await reject(parts, drop, error);
    tellFailure(parts, drop, error, signal);
    throw error;
  }
}

/** Lets the guards look at a drop, which is not in its slot yet. */
async function admit(
  { generations }: LoaderParts,
  rules: DropRules,
  drop: Drop,
  result: LoadedFile,
  folder: string,
): Promise<void> {
  const { table, map } = result;
  const { standing } = generations;
  const info = infoOf(recordOf(generations.nextNumber, drop.file, drop.md5, result), result);
  if (!isMap(table)) return admitTable(drop, { table, info }, standing, rules);
  const file = map?.file === MAP_NAME ? join(folder, MAP_INCOMING_NAME) : drop.file;
  const path = await nameForServing(folder, file);
  try {
    await admitTable(drop, { table: { ...table, path }, info }, standing, rules);
  } finally {
    await removeServingName(path);
  }
}

async function serve(
  { base, generations, receipts, logger }: LoaderParts,
  { keepPrevious }: DropRules,
  drop: Drop,
  result: LoadedFile,
  { slot, signal }: { readonly slot: SlotName; readonly signal: AbortSignal },
): Promise<void> {
  const { identity } = result;
  const record = recordOf(generations.nextNumber, drop.file, drop.md5, result);
  const startMs = performance.now();
  await base.check();
  await makeFolder(join(base.path, slot));
  await install(base.path, slot, { file: drop.file, identity, record }, signal);
  generations.use(record.generation);
  await removeDrop(drop, identity).catch(async (error: unknown) => {
    logger.warn(
      `${drop.file} is taken, but cannot be removed (${messageOf(error)}): it stays there, and is ` +
        'not loaded again; give this user write permission in its folder',
    );
    await noteLeft(base.path, slot, record, identity).catch(() => {});
  });
  const before: Seconds = { ...result.seconds, move: (performance.now() - startMs) / 1000 };
  const seconds = await generations.switch(slot, { record, result }, before);
  receipts.say(subjectOf(drop), outcomeOf(slot, record, seconds));
  if (keepPrevious !== 'no') return;
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
  events.add('rejected', rejection.line, error.code);
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
  const reason = messageOf(error);
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

function subjectOf({ file, md5, identity }: Drop): { file: string; md5: string; bytes: number } {
  return { file, md5, bytes: Number(identity.size) };
}

function isChange(error: unknown): boolean {
  return error instanceof GoromdbError && error.code === 'FILE_CHANGED';
}
