import { GoromdbError } from '../../common/errors.ts';
import { createFormat, firstBytesOf } from '../scanners/format.ts';
import { readTableHead } from '../table/table-file.ts';
import { looksLikeTable } from '../table/table-layout.ts';
import { walkTable } from '../table/table-walk.ts';

/**
 * Reads the records of a table, the format that goromdb itself serves: see table-layout.ts. Records
 * whose key came again are still there; the slots, which lead to the last of them, are not looked at.
 */
export const tableScanner = createFormat({
  format: 'table',
  title: 'a table of goromdb',
  reading: 'pages',
  has: [],
  lack: 'a table has neither buckets nor namespaces',
  recognise: looksLikeTable,
  async scan(input, options, sink) {
    const { path, fd } = input;
    if (!looksLikeTable(firstBytesOf(input))) {
      const message = `${path}: expected a table of goromdb, found other first bytes`;
      throw new GoromdbError('FORMAT_UNKNOWN', message);
    }
    const { layout } = readTableHead(path, fd);
    walkTable(input, layout, options, ({ bytes, count, keys, values, flags }) => {
      for (let i = 0, at = 0; i < count; i++, at += 2) {
        sink.add(bytes, keys[at], keys[at + 1], bytes, values[at], values[at + 1], flags[i]);
      }
    });
  },
});
