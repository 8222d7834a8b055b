import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageWithCode } from '../../common/errors.ts';
import { canRename } from '../../common/files.ts';
import type { SampledLookup } from '../../storage/lookup-sample.ts';
import { replay } from '../../storage/replay.ts';
import type { DataSetInfo, Storage } from '../../storage/storage.ts';
import { openTableIn } from '../../storage/table/table.ts';
import type { TableMap } from '../../storage/table/table-map.ts';
import type { KeepPrevious } from '../slots/rollback.ts';
import { checkRoom } from '../slots/room.ts';
import { checkGuards, checkNotEmpty, type Guards, shrinkNotices } from './guards.ts';
import type { Offer } from './source.ts';

/** The serving generation, which an offer is compared with. */
export interface Baseline {
  readonly info: DataSetInfo;
  readonly fileBytes: number;
}

/** What an offer is let in by, and what becomes of the generation before it. */
export interface OfferRules {
  readonly guards?: Guards | undefined;
  /** Lookups that clients made of late. */
  readonly sample?: (() => readonly SampledLookup[]) | undefined;
  readonly keepPrevious?: KeepPrevious | undefined;
}

/**
 * Before a load: whether there is room for it. A forced offer is not asked.
 *
 * @param slotFile Where the file would go.
 * @throws GoromdbError DISK_FULL.
 */
export async function admitOffer(
  { path, identity, force }: Offer,
  slotFile: string,
  serving: Baseline | undefined,
): Promise<void> {
  if (force) return;
  const isMovable = await canRename(path, dirname(slotFile)).catch(() => true);
  // Files mostly come in one format, and of a table a slot holds one copy, which is served.
  const isTable = serving?.info.format === 'table';
  await checkRoom({
    fileBytes: Number(identity.size),
    isCopied: !isMovable && !isTable,
    slotFile,
    serving: serving && { fileBytes: serving.fileBytes, tableBytes: serving.info.bytes },
  });
}

/** Lookups that are replayed at once: with a disk of 10 ms a seek, two thirds of a second. */
const WARM_SLICE = 64;

/** A table that may come to serve. */
interface Candidate {
  readonly map: TableMap;
  readonly info: DataSetInfo;
  /** What its owner should know. */
  readonly notices: readonly string[];
}

/**
 * Before anything is moved or switched: whether the guards let it pass. For a forced offer it is
 * only told that they would not. What clients asked for of late is in memory afterwards.
 *
 * @returns What else its owner should know.
 * @throws GoromdbError See `checkNotEmpty` and `checkGuards`.
 */
export async function admitTable(
  { force }: Offer,
  { map, info, notices }: Candidate,
  serving: Baseline | undefined,
  { guards = {}, sample = () => [] }: OfferRules,
): Promise<readonly string[]> {
  const candidate = await openTableIn(map.parts, info, () => {});
  try {
    await warm(candidate, sample());
    checkNotEmpty(guards, info, serving?.info, notices);
    checkGuards(guards, candidate, serving?.info, sample);
    return shrinkNotices(guards, info, serving?.info);
  } catch (error) {
    if (!force) throw error;
    return [`served in spite of this, by its .force mark: ${messageWithCode(error)}`];
  } finally {
    candidate.close();
  }
}

/** Reads the pages that the lookups need. */
async function warm(candidate: Storage, sample: readonly SampledLookup[]): Promise<void> {
  for (let at = 0; at < sample.length; at += WARM_SLICE) {
    replay(candidate, sample.slice(at, at + WARM_SLICE));
    await nextTurn();
  }
}
