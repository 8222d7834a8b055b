import { join } from 'node:path';
import type { Storage } from '../../src/storage/storage.ts';
import { openTableIn } from '../../src/storage/table/table.ts';
import type { TableLayout } from '../../src/storage/table/table-layout.ts';
import { openTableMap } from '../../src/storage/table/table-map.ts';
import { TableWriter, type TableWriterOptions } from '../../src/storage/table/table-writer.ts';
import { temporaryFolder } from './folder.ts';
import { addRecords, infoOf, type TestRecord } from './storages.ts';

/** Writes a table's file. */
export async function writeTable(
  path: string,
  records: Iterable<TestRecord>,
  options: Partial<TableWriterOptions> = {},
): Promise<TableLayout> {
  const writer = new TableWriter({ path, ...options });
  try {
    addRecords(writer, records);
    return await writer.finish();
  } finally {
    writer.close();
  }
}

/** A storage of a table that is mapped from a file; the map goes with it. */
export async function mappedTableOf(
  records: Iterable<TestRecord>,
  options: Partial<TableWriterOptions> = {},
): Promise<Storage> {
  const path = join(temporaryFolder(), 'table.mdb');
  const { keys, bytes } = await writeTable(path, records, options);
  const map = await openTableMap(path);
  return openTableIn(map.parts, infoOf(keys, bytes), () => map.release());
}
