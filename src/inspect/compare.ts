import { mustReject } from '../common/errors.ts';
import {
  checkGuards,
  checkNotEmpty,
  type Guards,
  shrinkNotices,
} from '../loader/generations/guards.ts';
import type { DataSetInfo, Entry, Storage } from '../storage/storage.ts';
import { TableSearch } from '../storage/table/table-search.ts';
import { type Diff, diffTables } from './diff.ts';
import type { ReadOptions } from './inspect.ts';
import { type RecordTable, withTable } from './record-table.ts';

/** What the guards say of a file, and how it differs from what serves. */
export interface Comparison {
  readonly warnings: readonly string[];
  readonly refusal?: { readonly code: string; readonly message: string } | undefined;
  readonly against?:
    | (Diff & { readonly place: string; readonly keys: number; readonly tableBytes: number })
    | undefined;
}

interface Compared extends ReadOptions {
  readonly guards?: Guards | undefined;
  readonly against?: string | undefined;
}

/** @throws GoromdbError as `withTable`, about what serves. */
export async function compare(table: RecordTable, options: Compared): Promise<Comparison> {
  const { against: place, guards = {}, ...reading } = options;
  if (place === undefined) return compareInfo(table, guards, undefined, '');
  return withTable(place, reading, async (serving) => {
    const { keys, bytes: tableBytes } = serving.layout;
    const against = { place, keys, tableBytes, ...diffTables(serving, table, undefined) };
    return { ...compareInfo(table, guards, infoOf(serving), place), against };
  });
}

function compareInfo(
  table: RecordTable,
  guards: Guards,
  serving: DataSetInfo | undefined,
  place: string,
): Comparison {
  const info = infoOf(table);
  const inWords = (text: string): string => text.replaceAll('generation 0', place);
  const warnings = [...table.notices, ...shrinkNotices(guards, info, serving).map(inWords)];
  try {
    checkNotEmpty(guards, info, serving, table.notices);
    checkGuards(guards, storageOf(table, info), serving, () => []);
    return { warnings };
  } catch (error) {
    if (!mustReject(error)) throw error;
    return { warnings, refusal: { code: error.code, message: inWords(error.message) } };
  }
}

/** Its generation is 0: what serves is named by its place. */
function infoOf({ layout, format }: RecordTable): DataSetInfo {
  const { keys, bytes } = layout;
  return { generation: 0, keys, bytes, md5: '', format, loadedAt: 0 };
}

/** For the lookups of guards. */
function storageOf({ input, layout }: RecordTable, info: DataSetInfo): Storage {
  const search = new TableSearch(input, layout, false);
  return {
    info,
    get(key, start, end): Entry | undefined {
      if (search.find(key, start, end) < 0) return undefined;
      const { bytes: buffer, record } = search;
      const { valueStart, valueEnd, flags } = record;
      return { buffer, valueStart, valueEnd, flags, cas: 0, wireStart: -1 };
    },
    close() {},
  };
}
