import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf, GoromdbError, messageOf, messageWithCode } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import type { DataSetInfo } from '../../storage/storage.ts';
import { shareTable } from '../slots/install.ts';
import {
  findPrevious,
  type RolledBack,
  refused,
  restored,
  writeRestored,
} from '../slots/rollback.ts';
import { installTable } from '../slots/slot-table.ts';
import {
  type FilledSlot,
  readSlots,
  SLOT_NAMES,
  type SlotRecord,
  slotPath,
  writeRecord,
} from '../slots/slots.ts';
import type { MadeTable } from '../worker/file-loads.ts';
import { type LoadedSlot, type LoaderParts, recordOf } from './generations.ts';
import type { InService } from './source.ts';

/** What a start has found in the slots. */
export interface Recovery {
  readonly isServing: boolean;
  /** Why nothing serves although there was a generation. */
  readonly fault?: string;
}

/** Puts the newest complete generation in the slots into service again, as at a start. */
export async function recover(parts: LoaderParts): Promise<Recovery> {
  const { base, generations, source, events, logger } = parts;
  let isRefused = false;
  const refuse = (name: string, error: unknown): undefined => {
    isRefused = true;
    const text = `slot ${name} is not used: ${messageWithCode(explained(error, base.path))}`;
    events.add('slot not used', text);
    logger.warn(text, { event: 'slot-not-used', code: codeOf(error) });
  };
  const filled = await readSlots(base.path, refuse);
  await generations.resume(filled);
  for (const slot of filled) {
    const number = slot.record === undefined ? '' : ` (generation ${slot.record.generation})`;
    const now = await serve(parts, slot).catch((error: unknown) =>
      refuse(`${slot.name}${number}`, error),
    );
    if (now === undefined) continue;
    await source.resume(now);
    return { isServing: true };
  }
  await source.resume(undefined);
  if (!isRefused && !hasHeldData(parts)) return { isServing: false };
  const fault =
    `no slot in ${base.path} holds a generation that can be served: every key is a miss until ` +
    source.wanted;
  events.add('nothing to serve', fault);
  logger.error(fault, { event: 'nothing-to-serve' });
  return { isServing: false, fault };
}

async function serve(parts: LoaderParts, slot: FilledSlot): Promise<InService> {
  const loaded = await loadSlot(parts, slot);
  return parts.generations.swap(slot.name, loaded).finally(() => loaded.map.release());
}

/** A crash in the first installation of all leaves the number 1, and no file. */
function hasHeldData({ base, generations }: LoaderParts): boolean {
  const hasFile = SLOT_NAMES.some((name) => existsSync(slotPath(base.path, name)));
  return hasFile || generations.nextNumber > 2;
}

/** Holds the generation before, if its table is sound as far as head and index show. */
export async function lookBack({ base, files, generations }: LoaderParts): Promise<void> {
  const { serving } = generations;
  if (serving === undefined) return;
  const slots = await readSlots(base.path, () => {});
  const previous = slots.find(({ name }) => name !== serving.slot);
  if (previous === undefined) return;
  // What is wrong with it is reported by a rollback.
  const map = await files
    .open(dirname(previous.path), previous.record?.table)
    .catch(() => undefined);
  if (map === undefined) return;
  await generations.holdPrevious(previous, map).finally(() => map.release());
}

/**
 * Puts a generation into service once more, because its table is damaged, if it still serves. If the
 * file in its slot is damaged too, the other slot's generation takes its place.
 *
 * @throws GoromdbError FILE_UNREADABLE when neither can be loaded.
 */
export async function repair(parts: LoaderParts, { generation }: DataSetInfo): Promise<void> {
  const { base, generations, logger } = parts;
  if (generations.serving?.generation !== generation) return;
  await base.check();
  const refuse = (name: string, error: unknown): void =>
    logger.error(
      `slot ${name} cannot be loaded again: ${messageWithCode(explained(error, base.path))}`,
      { event: 'slot-not-used', code: codeOf(error) },
    );
  const isDamaged = ({ record }: FilledSlot): boolean => record?.generation === generation;
  const filled = await readSlots(base.path, refuse);
  for (const slot of [...filled.filter(isDamaged), ...filled.filter((one) => !isDamaged(one))]) {
    try {
      const loaded = await (isDamaged(slot) ? rebuildSlot(parts, slot) : loadSlot(parts, slot));
      await generations.swapAgain(slot.name, loaded).finally(() => loaded.map.release());
      return;
    } catch (error) {
      refuse(slot.name, error);
    }
  }
  const message = `generation ${generation} is lost: no slot in ${base.path} holds a sound file`;
  throw new GoromdbError('FILE_UNREADABLE', message);
}

/**
 * Maps the table of a slot, if there is a sound one; else makes it anew of the slot's file.
 *
 * @throws GoromdbError SUM_MISMATCH when the file is damaged, or as `FileLoads.run`.
 */
async function loadSlot(parts: LoaderParts, slot: FilledSlot): Promise<LoadedSlot> {
  const { path, record } = slot;
  const startMs = performance.now();
  try {
    const map = await parts.files.open(dirname(path), record?.table);
    const seconds = { verify: (performance.now() - startMs) / 1000 };
    if (map !== undefined) return { record: record!, map, seconds };
  } catch (error) {
    const fields = { event: 'table-damaged', code: codeOf(error), path } as const;
    parts.logger.error(`${messageWithCode(error)}; the table is made anew of ${path}`, fields);
  }
  return rebuildSlot(parts, slot);
}

/** Makes a slot's table anew of its file. @throws GoromdbError as `loadSlot`. */
async function rebuildSlot(parts: LoaderParts, slot: FilledSlot): Promise<LoadedSlot> {
  const { path, md5, record } = slot;
  const result = await parts.files.run({
    ...{ path, md5, part: record?.part },
    ...{ folder: dirname(path), mayBeNameless: true },
  });
  if (result.kind === 'mismatch') {
    const message = `${path} is damaged: expected the MD5 ${md5} of the slot's sum file, found ${result.found}`;
    throw new GoromdbError('SUM_MISMATCH', message);
  }
  if (result.kind === 'changed') {
    throw new GoromdbError(
      'FILE_CHANGED',
      `${path}: expected a file that nobody writes to, found that it changed while it was read`,
    );
  }
  const { map, seconds } = result;
  return { record: await recordAgain(parts, slot, result), map, seconds };
}

/** Has a slot's record name its new table. */
async function recordAgain(
  { base, generations, logger }: LoaderParts,
  { name, path, md5, record }: FilledSlot,
  table: MadeTable,
): Promise<SlotRecord> {
  const made = recordOf(generations.nextNumber, { name: path, md5 }, table);
  const { keys, warnings, table: tableRecord } = made;
  const next = record === undefined ? made : { ...record, keys, warnings, table: tableRecord };
  try {
    await installTable(dirname(path));
    await writeRecord(base.path, name, next);
    if (table.isCopy) await shareTable(dirname(path));
  } catch (error) {
    const why = messageOf(error);
    const line = `slot ${name}: the table cannot be kept (${why}): each start makes it anew`;
    logger.warn(line, { event: 'table-not-kept', path });
  }
  return next;
}

/**
 * Returns to the generation in the other slot. It gets a new number, so that the newest complete
 * generation is the one to serve, at the next start also; to roll back again returns to this one.
 *
 * @throws GoromdbError ROLLBACK_REFUSED, with the reason; the serving generation keeps serving.
 */
export async function rollBack(parts: LoaderParts): Promise<RolledBack> {
  const { base, generations, source, events, logger } = parts;
  const startMs = performance.now();
  const { serving } = generations;
  if (serving === undefined) throw refused('nothing serves yet');
  await base.check();
  const { previous, current } = await findPrevious(base.path, serving.slot);
  const loaded = await loadPrevious(parts, previous);
  const { record: before, map } = loaded;
  // Of a slot that another program filled it was made just now.
  generations.use(before.generation);
  const record = restored(before, generations.nextNumber);
  const now = await (async () => {
    await writeRestored(base.path, previous.name, record);
    generations.use(record.generation);
    return generations.swap(previous.name, { ...loaded, record });
  })().finally(() => map.release());
  const seconds = (performance.now() - startMs) / 1000;
  const text = `rolled back to the data of generation ${record.restores}, which is generation ${record.generation} now`;
  const { generation } = record;
  logger.warn(`${text}; ${seconds.toFixed(3)} s`, { event: 'rolled-back', generation, seconds });
  events.add('rolled back', text);
  await source.rolledBack(now, current?.record);
  return { slot: previous.name, record, seconds };
}

async function loadPrevious(parts: LoaderParts, slot: FilledSlot): Promise<LoadedSlot> {
  const { base, generations } = parts;
  const { record } = slot;
  const map = await generations.heldMap(slot);
  if (map !== undefined && record !== undefined) return { record, map, seconds: {} };
  map?.release();
  try {
    return await loadSlot(parts, slot);
  } catch (cause) {
    throw refused(
      `slot ${slot.name} cannot be used: ${messageWithCode(explained(cause, base.path))}`,
      cause,
    );
  }
}
