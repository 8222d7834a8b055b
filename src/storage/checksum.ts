import { crc32 } from 'node:zlib';
import { isMap, type ServedTable, type StorageParts } from './table.ts';

/** A stretch of a table's memory that is summed as a whole. */
export interface Region {
  readonly bytes: number;
  readonly sum: number;
}

/**
 * The regions of a table: what is used of each segment, and the index. The numbers tell, so this
 * works where the memory itself has been handed over.
 */
export function regionsOf(parts: StorageParts): readonly Region[] {
  // A map has no memory of its own.
  if (isMap(parts)) return [];
  const { used, slots, sums } = parts;
  return [...used, slots * 8].map((bytes, i) => ({ bytes, sum: sums[i] }));
}

/**
 * Goes on with the sum of a region by a part of it; a region's sum is that of all of it from 0.
 * CRC-32 is enough against flipped bits, and zlib's does 3 GB/s here, in shared memory too: a table
 * of a gigabyte costs its builder a third of a second.
 */
export function sumPart(memory: ArrayBufferLike, start: number, end: number, sum: number): number {
  return crc32(new Uint8Array(memory, start, end - start), sum);
}

/** A part of a region of the table of a generation, with the region's sum up to there. */
export interface TableSlice {
  readonly generation: number;
  readonly region: number;
  readonly start: number;
  readonly end: number;
  readonly sum: number;
}

/** @returns The sum up to the slice's end; undefined when another generation serves. */
export function sumSlice(
  served: ServedTable | undefined,
  { generation, region, start, end, sum }: TableSlice,
): number | undefined {
  if (served?.info.generation !== generation || isMap(served.table)) return undefined;
  const { segments, index } = served.table;
  return sumPart([...segments, index][region], start, end, sum);
}
