import { openMap } from './mapped.ts';
import type { DataSetInfo, Storage } from './storage.ts';
import { isMap, openTable, type StorageParts } from './table.ts';

/** Makes a storage of a data set that another thread loaded. @throws GoromdbError LOADER_FAILED. */
export async function openStorage(parts: StorageParts, info: DataSetInfo): Promise<Storage> {
  return isMap(parts) ? openMap(parts, info) : openTable(parts, info);
}
