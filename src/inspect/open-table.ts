import { crc32 } from 'node:zlib';
import { GoromdbError } from '../common/errors.ts';
import { longestValue } from '../loader/worker/value-limit.ts';
import { tableScanner } from '../storage/formats/table.ts';
import type { Storage } from '../storage/storage.ts';
import { openTableIn } from '../storage/table/table.ts';
import { checkTable } from '../storage/table/table-check.ts';
import { headOf } from '../storage/table/table-layout.ts';
import { openTableMap } from '../storage/table/table-map.ts';
import { withOpened } from './opened.ts';

/**
 * Opens a table file, as `goromdb build` makes it, for lookups in this process. It is checked first, all
 * of it, and then mapped: records in use stay in the page cache. Nobody may write to the file or cut it
 * short as long as it is open; it may be renamed and removed.
 *
 * @returns A storage, for `createServer` too. Close it to unmap the file.
 * @throws GoromdbError DATA_CORRUPT, FORMAT_UNKNOWN, FILE_UNREADABLE, FILE_CHANGED, OUT_OF_MEMORY.
 * @example
 * const users = await openTableFile('users.db');
 * const key = Buffer.from('user:42');
 * const entry = users.get(key, 0, key.length);
 * console.log(entry?.buffer.toString('utf8', entry.valueStart, entry.valueEnd));
 * users.close();
 */
export function openTableFile(path: string): Promise<Storage> {
  return withOpened(
    path,
    () => {},
    async ({ input, slot }) => {
      if (slot !== undefined) {
        const message = `${path}: expected a table file, found the base folder of a server, which is its own`;
        throw new GoromdbError('FILE_UNREADABLE', message);
      }
      const layout = checkTable(input, { valueBytesMax: longestValue() });
      const map = await openTableMap(input.path, crc32(headOf(layout)));
      const { keys, bytes } = layout;
      const format = tableScanner.format;
      const info = { generation: 0, keys, bytes, md5: '', format, loadedAt: Date.now() };
      return openTableIn(map.parts, info, () => map.release());
    },
  );
}
