import { formatBytes, keysOf } from '../../common/quantities.ts';
import type { DataSetInfo } from '../../storage/storage.ts';
import type { TableMap } from '../../storage/table/table-map.ts';
import type { SlotName, SlotRecord } from '../slots/slots.ts';
import type { MadeTable } from '../worker/file-loads.ts';
import { type Seconds, STAGES } from '../worker/progress.ts';

/** What a slot holds, ready to serve. Whoever loaded it holds its map. */
export interface LoadedSlot {
  readonly record: SlotRecord;
  readonly map: TableMap;
  readonly seconds: Seconds;
}

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

/** The one line that says that a generation serves, and what it took. */
export function servingLine(slot: SlotName, record: SlotRecord, seconds: Seconds): string {
  const stages = STAGES.filter((stage) => seconds[stage] !== undefined)
    .map((stage) => `${stage} ${seconds[stage]!.toFixed(3)} s`)
    .join(', ');
  return (
    `generation ${record.generation} serves from slot ${slot}: ${keysOf(record.keys)}, ` +
    `${formatBytes(record.bytes)} of ${record.format}, md5 ${record.md5}; ${stages}`
  );
}
