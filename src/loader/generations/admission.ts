import { stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { GoromdbError, messageWithCode } from '../../common/errors.ts';
import { canRename } from '../../common/files.ts';
import { lackOf } from '../../common/quantities.ts';
import type { SampledLookup } from '../../storage/lookup-sample.ts';
import { replay } from '../../storage/replay.ts';
import type { DataSetInfo, Storage } from '../../storage/storage.ts';
import { openTableIn } from '../../storage/table/table.ts';
import type { TableMap } from '../../storage/table/table-map.ts';
import type { KeepPrevious } from '../slots/rollback.ts';
import { TABLE_NAME } from '../slots/slot-table.ts';
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
 * Before anything is moved or swapped: whether the guards let it pass. A forced offer passes, with
 * a notice that they would refuse it. What clients asked for of late is in memory afterwards.
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

/** What the slot's small files need, with what a file system needs for their names. */
const SLOT_BYTES = 64 * 1024;

/** What a load is going to need. */
export interface Need {
  /** Bytes of the file. */
  readonly fileBytes: number;
  /** Whether it will be copied, not renamed. */
  readonly isCopied: boolean;
  /** The file of the slot that it goes to, which gives way. */
  readonly slotFile: string;
  /** What serves now: it gives an estimate for the next table. */
  readonly serving: { readonly fileBytes: number; readonly tableBytes: number } | undefined;
}

/** Bytes of a table for a byte of its file: below are free pages in the file, above compressed ones. */
const RATIO_MIN = 1 / 8;
const RATIO_MAX = 8;

/**
 * Refuses to begin a load that cannot end well: it would cost minutes. What the table needs is an
 * estimate, and nothing where there is none before it: then the disk says so when it is full.
 *
 * @throws GoromdbError DISK_FULL.
 */
export async function checkRoom(need: Need, free = freeDisk): Promise<void> {
  const { fileBytes, isCopied, slotFile, serving } = need;
  const ratio = serving === undefined ? 0 : serving.tableBytes / Math.max(1, serving.fileBytes);
  const perByte = serving === undefined ? 0 : Math.min(RATIO_MAX, Math.max(RATIO_MIN, ratio));
  const diskBytes = Math.ceil(SLOT_BYTES + (isCopied ? fileBytes : 0) + fileBytes * perByte);
  const diskFree = await free(slotFile);
  if (diskFree >= diskBytes) return;
  const what = `free space for the slot in ${dirname(slotFile)}`;
  const message = `${lackOf(what, diskBytes, diskFree)}: make room on that disk`;
  throw new GoromdbError('DISK_FULL', message, { numbers: { diskBytes, diskFree } });
}

/**
 * Free space where a slot's files are to lie, with what those files give free. Where that cannot be
 * found out, the installation will say what is wrong.
 */
async function freeDisk(slotFile: string): Promise<number> {
  const folder = dirname(slotFile);
  const space = await statfs(folder).catch(() => undefined);
  if (space === undefined) return Number.POSITIVE_INFINITY;
  const old = await Promise.all([bytesAt(slotFile), bytesAt(join(folder, TABLE_NAME))]);
  return space.bavail * space.bsize + old[0] + old[1];
}

async function bytesAt(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
