import { GoromdbError } from '../../common/errors.ts';
import type { RecordSink, ScanInput, Scanner, ScanOptions } from '../scanners/scanner.ts';
import { readTableHead } from '../table/table-file.ts';
import { walkTable } from '../table/table-walk.ts';
import { recognise } from './recognise.ts';

/**
 * Reads the records of a table, the format that goromdb itself serves: see table-layout.ts. Records
 * whose key came again are still there; the slots, which lead to the last of them, are not looked at.
 */
export const tableScanner: Scanner = {
  format: 'table',
  async scan(input: ScanInput, options: ScanOptions, sink: RecordSink): Promise<void> {
    const { path, fd } = input;
    const { bucket, namespaces } = options;
    if (recognise(input).format !== 'table') {
      const message = `${path}: expected a table of goromdb, and its first bytes are none`;
      throw new GoromdbError('FORMAT_UNKNOWN', message);
    }
    if (bucket !== undefined || namespaces !== undefined) {
      const flag = bucket === undefined ? '-namespaces' : `-bucket ${JSON.stringify(bucket)}`;
      const message = `${path}: ${flag} was given but a table has neither buckets nor namespaces: remove it, or drop a file that has them`;
      throw new GoromdbError('FORMAT_UNSUPPORTED', message);
    }
    const { layout } = readTableHead(path, fd);
    walkTable(input, layout, options, ({ bytes, count, keys, values, flags }) => {
      for (let i = 0, at = 0; i < count; i++, at += 2) {
        sink.add(bytes, keys[at], keys[at + 1], bytes, values[at], values[at + 1], flags[i]);
      }
    });
  },
};
