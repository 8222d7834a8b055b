import { dirname } from 'node:path';
import type { Logger } from '../log.ts';
import type { KeyPrefix } from '../storage/scanners/namespaces.ts';
import type { NamespaceOptions } from '../storage/scanners/scanner.ts';
import { loadMsMax } from './load-time.ts';
import { LoaderWorker, type Patience } from './loader-worker.ts';
import { ProgressMemory } from './progress.ts';
import { logMapping } from './report.ts';
import type { MapRecord } from './slot-map.ts';
import type { LoaderStatus } from './status.ts';
import type { LoadResult } from './worker.ts';

export interface FileLoadsOptions {
  readonly baseDir: string;
  /** Built-in name, or the URL of a module whose default export is a `Scanner`. */
  readonly scanner: string;
  readonly gzipped: boolean;
  readonly bucket: string | undefined;
  readonly namespaces?: NamespaceOptions | undefined;
  /** Stands before all keys that are served. */
  readonly prefix?: KeyPrefix | undefined;
  /** Make tables in memory that several threads can read. */
  readonly shared: boolean;
  /** Bytes that a data set may take in memory; a larger one is mapped. Infinity: none is. */
  readonly bytesMax: number;
  /** Whether a load rests between small pieces of work when a data set serves: see `needsRests`. */
  readonly restsBeside?: boolean | undefined;
  /** What the worker does between files: see `LoaderWorker`; by default it ends soon. */
  readonly patience?: Patience | undefined;
  /** Milliseconds that the work on the smallest file may take: see `loadMsMax`. */
  readonly loadMsMin?: number | undefined;
  /** Told when a load begins, with where to read its progress, and undefined when it has ended. */
  readonly onLoad?:
    | ((load: { path: string; progress: ProgressMemory } | undefined) => void)
    | undefined;
  readonly logger: Logger;
}

/** A file to be loaded. */
export interface FileLoad {
  readonly path: string;
  readonly md5: string;
  /** The data file of the slot that it is in, or will be: a map is made beside it. */
  readonly slotFile: string;
  /** It is in the slot already, or is dropped: the generation that the slot holds may give way. */
  readonly isDrop: boolean;
  /** Whether a data set serves meanwhile, and there is no hurry. */
  readonly isBeside?: boolean;
  /** Whether it is mapped without a try to hold it in memory. */
  readonly isToMap?: boolean;
  /** What the slot's record says of a map. */
  readonly map?: MapRecord | undefined;
  /** Gives the load up. */
  readonly signal?: AbortSignal | undefined;
  /** Told where to read the progress. @returns Ends it. */
  readonly follow?: ((progress: ProgressMemory) => () => void) | undefined;
}

/** Has the worker verify, scan and index files. */
export class FileLoads {
  readonly #options: FileLoadsOptions;
  readonly #worker: LoaderWorker;
  #running: { readonly path: string; readonly progress: ProgressMemory } | undefined;

  constructor(options: FileLoadsOptions) {
    this.#options = options;
    this.#worker = new LoaderWorker(options.patience ?? 'ends');
  }

  /** The file that is being loaded, and how far it is. */
  get running(): LoaderStatus['loading'] {
    return this.#running && { path: this.#running.path, ...this.#running.progress.read() };
  }

  /** @throws GoromdbError See `LoaderWorker.run`. */
  async run({
    path,
    md5,
    isDrop,
    isBeside = false,
    isToMap = false,
    ...load
  }: FileLoad): Promise<LoadResult> {
    const { onLoad, logger, loadMsMin, restsBeside = false } = this.#options;
    const progress = new ProgressMemory();
    this.#running = { path, progress };
    onLoad?.(this.#running);
    const stop = load.follow?.(progress);
    const stopLog = logMapping(path, progress, logger);
    try {
      const request = {
        ...{ path, md5, ...this.#how(load.map), mapDir: dirname(load.slotFile) },
        ...{ mayClear: isDrop, rests: isBeside && restsBeside, isToMap },
        progress: progress.memory,
      };
      return await this.#worker.run(request, await loadMsMax(path, loadMsMin), load.signal);
    } finally {
      stop?.();
      stopLog();
      this.#running = undefined;
      onLoad?.(undefined);
    }
  }

  /** Ends the worker. No load may be under way. */
  close(): Promise<void> {
    return this.#worker.close();
  }

  /** What the worker is asked for, whatever the file. */
  #how(map: MapRecord | undefined) {
    const { scanner, gzipped, bucket, namespaces, prefix, shared, bytesMax } = this.#options;
    // Names all options that a map's records depend on.
    const recipe = JSON.stringify({ scanner, gzipped, bucket, namespaces });
    return {
      ...{ scanner, gzipped, bucket, namespaces, prefix, shared, bytesMax, recipe },
      scratchDir: this.#options.baseDir,
      // One that was made under a smaller budget may fit into memory now.
      map: map?.recipe === recipe && bytesMax <= map.memoryBytes ? map : undefined,
    };
  }
}
