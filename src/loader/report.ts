import { STAGES, type Stage } from './progress.ts';
import type { SlotName, SlotRecord } from './slots.ts';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** A number of bytes as people read it: `118 MB`. Units are powers of 1000. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? value.toFixed(0) : value.toPrecision(2)} ${UNITS[unit]}`;
}

/** A whole number with separators: `1,000,000`. */
function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

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
    `generation ${record.generation} serves from slot ${slot}: ${formatCount(record.keys)} ${record.keys === 1 ? 'key' : 'keys'}, ` +
    `${formatBytes(record.bytes)} of ${record.format}, md5 ${record.md5}; ${stages}`
  );
}
