/** What belongs in this folder: what is durable: the two slots, their records, the events. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsence } from '../../common/file-identity.ts';
import { readAtMost, writeAtomically } from '../../common/files.ts';
import { areWarnings } from '../../common/notices.ts';
import type { GenerationStatus } from '../../common/status.ts';
import { parseSumFile, readSumFile } from '../../common/sum-file.ts';
import { isPart } from '../../shards/place.ts';
import { DATA_NAME, isTableRecord, type TableRecord } from './slot-table.ts';

/** The two folders that generations take turns in. */
export const SLOT_NAMES = ['data00', 'data01'] as const;
export type SlotName = (typeof SLOT_NAMES)[number];

export const SUM_NAME = 'data.db.md5';
export const RECORD_NAME = 'generation.json';
/** A longer record is ignored: what it says is found out again. */
export const RECORD_BYTES_MAX = 64 * 1024;

/** What a slot holds, as its record file says it. */
export interface SlotRecord extends Omit<GenerationStatus, 'slot'> {
  /** Tells the dropped file, which could not be removed, from the next one: see `Offer.remove`. */
  readonly left?: string | undefined;
  /** The part of a data set's keys that the file has; undefined: all. */
  readonly part?: string | undefined;
  /** What is served of the file; undefined: an older version filled the slot. */
  readonly table?: TableRecord | undefined;
}

/** The generation in a slot, for a status. */
export function generationOf(slot: SlotName, record: SlotRecord): GenerationStatus {
  const { left, part, table, ...shown } = record;
  return { slot, ...shown };
}

/** A slot whose file and sum file are there. Whether they match is still to be verified. */
export interface FilledSlot {
  readonly name: SlotName;
  readonly path: string;
  readonly md5: string;
  /** Undefined when another program filled the slot. */
  readonly record: SlotRecord | undefined;
  /** When it was installed; without a record, when the file was last written. Since 1970. */
  readonly timeMs: number;
}

/** The slot that a generation does not live in. */
export function otherSlot(name: SlotName): SlotName {
  return name === 'data00' ? 'data01' : 'data00';
}

/**
 * The slot for the next file while neither serves: an empty one, or the one with the older file.
 * What could not be served with today's flags may be sound under others.
 *
 * @param filled What `readSlots` gave.
 */
export function leastNeededSlot(filled: readonly FilledSlot[]): SlotName {
  const [newest] = filled;
  return newest === undefined ? 'data00' : otherSlot(newest.name);
}

/** Path of a slot's data file. */
export function slotPath(baseDir: string, name: SlotName): string {
  return join(baseDir, name, DATA_NAME);
}

/**
 * The slots that hold a file with its sum file, the newest first. Generation numbers decide; with a slot
 * that another program filled, time does.
 *
 * @param onFault Called for a slot that is there and cannot be read; it counts as empty.
 */
export async function readSlots(
  baseDir: string,
  onFault: (name: SlotName, error: unknown) => void,
): Promise<readonly FilledSlot[]> {
  const slots = await Promise.all(
    SLOT_NAMES.map((name) =>
      readSlot(baseDir, name).catch((error: unknown) => {
        onFault(name, error);
        return undefined;
      }),
    ),
  );
  return slots.filter((slot) => slot !== undefined).sort(newestFirst);
}

function newestFirst(a: FilledSlot, b: FilledSlot): number {
  if (a.record === undefined || b.record === undefined) return b.timeMs - a.timeMs;
  return b.record.generation - a.record.generation;
}

async function readSlot(baseDir: string, name: SlotName): Promise<FilledSlot | undefined> {
  const folder = join(baseDir, name);
  const path = join(folder, DATA_NAME);
  try {
    const md5 = parseSumFile(await readSumFile(join(folder, SUM_NAME)), DATA_NAME);
    const { mtimeMs } = await stat(path);
    if (md5 === undefined) return undefined;
    const found = await readRecord(baseDir, name);
    const record = found?.md5 === md5 ? found : undefined;
    const timeMs = record === undefined ? mtimeMs : Date.parse(record.installedAt);
    return { name, path, md5, record, timeMs };
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** The highest generation number that a slot's record has, whatever became of the slot's file. */
export async function newestGeneration(baseDir: string): Promise<number> {
  const records = await Promise.all(SLOT_NAMES.map((name) => readRecord(baseDir, name)));
  return Math.max(0, ...records.map((record) => record?.generation ?? 0));
}

/** @returns undefined also for a file that is no record: what it says is then found out again. */
async function readRecord(baseDir: string, name: SlotName): Promise<SlotRecord | undefined> {
  try {
    return parseRecord(await readAtMost(join(baseDir, name, RECORD_NAME), RECORD_BYTES_MAX));
  } catch {
    return undefined;
  }
}

/** @returns undefined for a file that is no record. */
export function parseRecord(bytes: Buffer): SlotRecord | undefined {
  try {
    const record: unknown = JSON.parse(bytes.toString('utf8'));
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is SlotRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { generation, md5, bytes, keys, format, source, installedAt, warnings, part, table } =
    value as SlotRecord;
  return (
    [generation, bytes, keys].every((count) => Number.isSafeInteger(count) && count >= 0) &&
    [md5, format, source, installedAt].every((text) => typeof text === 'string') &&
    !Number.isNaN(Date.parse(installedAt)) &&
    areWarnings(warnings) &&
    (part === undefined || (typeof part === 'string' && isPart(part))) &&
    (table === undefined || isTableRecord(table))
  );
}

/** Writes a slot's record, which gives the slot's file its generation number. */
export async function writeRecord(
  baseDir: string,
  name: SlotName,
  record: SlotRecord,
): Promise<void> {
  const path = join(baseDir, name, RECORD_NAME);
  await writeAtomically(path, `${JSON.stringify(record, undefined, 2)}\n`);
}
