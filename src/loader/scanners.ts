import { jsonScanner } from '../storage/scanners/json.ts';
import { lmdbScanner } from '../storage/scanners/lmdb.ts';
import type { Scanner } from '../storage/scanners/scanner.ts';

/** The built-in scanners, by their name on the command line. */
export const SCANNERS: Readonly<Record<string, Scanner>> = {
  json: jsonScanner,
  lmdb: lmdbScanner,
};
