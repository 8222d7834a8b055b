import { formatBytes, keysOf } from '../../common/quantities.ts';
import type { SlotName, SlotRecord } from '../slots/slots.ts';
import { STAGES, type Stage } from '../worker/progress.ts';

/** The one line that says that a generation serves, and what it took. */
export function servingLine(
  slot: SlotName,
  record: SlotRecord,
  seconds: Partial<Record<Stage, number>>,
): string {
  const stages = STAGES.filter((stage) => seconds[stage] !== undefined)
    .map((stage) => `${stage} ${seconds[stage]!.toFixed(3)} s`)
    .join(', ');
  return (
    `generation ${record.generation} serves from slot ${slot}: ${keysOf(record.keys)}, ` +
    `${formatBytes(record.bytes)} of ${record.format}, md5 ${record.md5}; ${stages}`
  );
}
