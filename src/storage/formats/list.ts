import type { Format } from '../scanners/format.ts';
import { bdbScanner } from './bdb/bdb.ts';
import { memcachedbScanner } from './bdb/memcachedb.ts';
import { boltScanner } from './bolt/bolt.ts';
import { jsonLinesScanner, jsonScanner } from './json/json.ts';
import { lmdbScanner } from './lmdb/lmdb.ts';
import { tableScanner } from './table.ts';

/** The formats that are built in, in the order in which help and messages name them. */
export const FORMATS: readonly Format[] = [
  jsonScanner,
  jsonLinesScanner,
  tableScanner,
  lmdbScanner,
  boltScanner,
  bdbScanner,
  memcachedbScanner,
];
