/**
 * What belongs in this folder: reads files and generations without a server: checks, finds, dumps and
 * compares.
 */
import { tmpdir } from 'node:os';
import type { ScanRequest } from '../loader/worker/scan-file.ts';
import { AUTO } from '../storage/formats/formats.ts';
import type { Selection } from '../storage/formats/selection.ts';

/** How a file is read. A generation in a slot is read as it serves. */
export interface ReadOptions extends Selection {
  /** A format as `-storage` has it, or the URL of a module whose default export is a `Scanner`. */
  readonly storage?: string | undefined;
  /** The file must be compressed with gzip. */
  readonly gzipped?: boolean | undefined;
  /** Where there is room for a table that is made to read a file. Default: the system's temporary folder. */
  readonly scratchDir?: string | undefined;
  /** Called with what the owner of a sound file should know. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** @param isServed Whether it is a generation, which has been read as its server was told to. */
export function scanRequestOf(asked: ReadOptions, isServed: boolean): ScanRequest {
  const options: ReadOptions = isServed ? { scratchDir: asked.scratchDir } : asked;
  const { storage = AUTO, gzipped = false, scratchDir = tmpdir() } = options;
  const { bucket, fields, namespaces } = options;
  return { scanner: storage, gzipped, scratchDir, bucket, fields, namespaces };
}
