import type { DataSetInfo } from '../storage/storage.ts';
import { isMap, type StorageParts } from '../storage/table.ts';
import type { Stage } from './progress.ts';
import type { SlotRecord } from './slots.ts';
import type { LoadResult } from './worker.ts';

/** A file that the worker made a table of. */
export type LoadedFile = Extract<LoadResult, { kind: 'table' }>;

/** What a slot holds, ready to serve. */
export interface LoadedSlot {
  readonly record: SlotRecord;
  readonly result: LoadedFile;
}

/** Seconds that the stages took. */
export type Seconds = Partial<Record<Stage, number>>;

/** What the storage of a loaded file says of itself. */
export function infoOf(
  { generation, md5, installedAt }: Pick<SlotRecord, 'generation' | 'md5' | 'installedAt'>,
  { table, format }: LoadedFile,
): DataSetInfo {
  const { keys, bytes } = table;
  return {
    ...{ generation, keys, bytes, md5, format, servedFrom: servedFromOf(table) },
    loadedAt: Date.now(),
    installedAt: Date.parse(installedAt),
  };
}

function servedFromOf(table: StorageParts): string {
  if (!isMap(table)) return 'memory';
  return table.layout === 'plain' ? 'file' : 'map';
}

/** The record of a loaded file that becomes a generation now. @param source Where it was dropped. */
export function recordOf(
  generation: number,
  source: string,
  md5: string,
  { table, format, identity, map }: LoadedFile,
): SlotRecord {
  return {
    ...{ generation, md5, bytes: Number(identity.size), keys: table.keys, format, source },
    installedAt: new Date().toISOString(),
    ...(map === undefined ? {} : { map }),
  };
}
