import type { DataSetInfo } from '../../storage/storage.ts';
import type { TableMap } from '../../storage/table/table-map.ts';
import type { SlotRecord } from '../slots/slots.ts';
import type { MadeTable } from '../worker/file-loads.ts';
import type { Stage } from '../worker/progress.ts';

/** What a slot holds, ready to serve. Whoever loaded it holds its map. */
export interface LoadedSlot {
  readonly record: SlotRecord;
  readonly map: TableMap;
  readonly seconds: Seconds;
}

/** Seconds that the stages took. */
export type Seconds = Partial<Record<Stage, number>>;

/** What the storage of a generation says of itself. */
export function infoOf(
  {
    generation,
    md5,
    format,
    installedAt,
  }: Pick<SlotRecord, 'generation' | 'md5' | 'format' | 'installedAt'>,
  { parts: { layout } }: TableMap,
): DataSetInfo {
  const { keys, bytes } = layout;
  return {
    ...{ generation, keys, bytes, md5, format },
    loadedAt: Date.now(),
    installedAt: Date.parse(installedAt),
  };
}

/** The record of a loaded file that becomes a generation now. @param name What its source calls it. */
export function recordOf(
  generation: number,
  { name: source, md5 }: { readonly name: string; readonly md5: string },
  { map, format, identity, recipe, headCrc32, notices }: MadeTable,
): SlotRecord {
  const { keys } = map.parts.layout;
  return {
    ...{ generation, md5, bytes: Number(identity.size), keys, format, source },
    installedAt: new Date().toISOString(),
    ...(notices.length > 0 && { warnings: notices }),
    table: { recipe, headCrc32 },
  };
}
