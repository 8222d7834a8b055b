import { messageWithCode } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import {
  findPrevious,
  type RolledBack,
  refused,
  restored,
  writeRestored,
} from '../slots/rollback.ts';
import type { FilledSlot } from '../slots/slots.ts';
import type { LoadedSlot, LoaderParts } from './generations.ts';
import { loadSlot } from './recover.ts';

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
  logger.warn(`${text}; ${seconds.toFixed(3)} s`);
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
