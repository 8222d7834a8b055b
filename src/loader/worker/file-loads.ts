import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileIdentity } from '../../common/file-identity.ts';
import type { LoadStatus } from '../../common/status.ts';
import { covers, partOf, type ShardPlace } from '../../shards/place.ts';
import type { Selection } from '../../storage/formats/selection.ts';
import type { KeyPrefix } from '../../storage/scanners/namespaces.ts';
import { openTableMap, type TableMap } from '../../storage/table/table-map.ts';
import { openSlotTable, TABLE_INCOMING_NAME, type TableRecord } from '../slots/slot-table.ts';
import { LoaderProcesses } from './loader-process.ts';
import type { Progress, RunningLoad } from './progress.ts';
import type { LoadRequest, LoadResult, WrittenTable } from './worker.ts';

/** How often the progress of a load is reported. */
const PROGRESS_INTERVAL_MS = 500;

/**
 * How long the work on a file may take: some time for any, and more for each byte, at a rate a hundred
 * times slower than what is slow. A scanner that does not come to an end must not keep up all others.
 */
const LOAD_MS_MIN = 10 * 60 * 1000;
const LOAD_BYTES_PER_MS = 1_000;

/** Node's timers cannot wait longer. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface FileLoadsOptions extends Selection {
  readonly baseDir: string;
  /** Built-in name, or the URL of a module whose default export is a `Scanner`. */
  readonly scanner: string;
  readonly gzipped: boolean;
  /** What all served keys begin with. */
  readonly prefix?: KeyPrefix | undefined;
  /** The server's place among shards: dropped files with keys of others are refused. */
  readonly place?: ShardPlace | undefined;
  /** Milliseconds that the work on the smallest file may take: see `loadMsMax`. */
  readonly loadMsMin?: number | undefined;
  /** Called when a load begins, and with undefined when it has ended. */
  readonly onLoad?: ((load: RunningLoad | undefined) => void) | undefined;
}

/** A file to be loaded. */
export interface FileLoad {
  readonly path: string;
  readonly md5: string;
  /** The slot that it is in, or will be. */
  readonly folder: string;
  /** Whether the table may have no name where the slot cannot be written. */
  readonly mayBeNameless?: boolean;
  /** The file as it was seen: another one is not read. */
  readonly expected?: FileIdentity;
  /** The part of the keys that it was taken with once: what has left this server since is left out. */
  readonly part?: string | undefined;
  /** Whether its size must not be shown yet: see `Drop.isLinked`. */
  readonly isLinked?: boolean;
  /** Aborts the load. */
  readonly signal?: AbortSignal | undefined;
  /** Called when it begins, and from time to time. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** A table that was made of a file, and its map, which whoever asked for it holds. */
export interface MadeTable extends WrittenTable {
  readonly kind: 'table';
  readonly map: TableMap;
  readonly recipe: string;
  /** See `FileLoads.part`. */
  readonly part: string | undefined;
}

/** The result when only the MD5 is checked. */
type Verified = Exclude<LoadResult, { kind: 'table' }>;

const PROCESSES = new LoaderProcesses();

/** Has files verified, and tables made of them. */
export class FileLoads {
  readonly #options: FileLoadsOptions;
  #running: RunningLoad | undefined;

  constructor(options: FileLoadsOptions) {
    this.#options = options;
  }

  /** The file that is being loaded, and how far it is. */
  get running(): LoadStatus | undefined {
    if (this.#running === undefined) return undefined;
    const { path, progress, isLinked, sinceMs } = this.#running;
    const { stage, bytes } = progress;
    return isLinked ? { path, stage, sinceMs } : { path, stage, sinceMs, bytes };
  }

  /** Names all options that a table's records depend on. */
  get recipe(): string {
    const { scanner, gzipped, bucket, namespaces, prefix, fields } = this.#options;
    const shard = this.part;
    return JSON.stringify({ scanner, gzipped, bucket, namespaces, prefix, fields, shard });
  }

  /** The part of the keys that a dropped file has; undefined: all. */
  get part(): string | undefined {
    const { place } = this.#options;
    return place && partOf(place.topology, place.shard);
  }

  /**
   * Makes a table of a file, in the slot under {@link TABLE_INCOMING_NAME}, or without a name.
   *
   * @throws GoromdbError See `LoaderProcesses.run`, and DISK_FULL, FOLDER_UNUSABLE.
   */
  async run(load: FileLoad): Promise<Exclude<Verified, { kind: 'verified' }> | MadeTable> {
    const { folder, mayBeNameless = false } = load;
    const isNameless = mayBeNameless && !isWritable(folder);
    const scratch = isNameless ? await mkdtemp(join(tmpdir(), 'goromdb-')) : undefined;
    try {
      const tablePath = join(scratch ?? folder, TABLE_INCOMING_NAME);
      const result = (await this.#work(load, { tablePath, isSumEnough: false })) as Exclude<
        LoadResult,
        { kind: 'verified' }
      >;
      if (result.kind !== 'table') return result;
      return {
        ...result,
        map: await openTableMap(tablePath, result.headCrc32),
        ...{ recipe: this.recipe, part: this.part },
      };
    } finally {
      if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
    }
  }

  /**
   * Only computes the MD5 of a file.
   *
   * @throws GoromdbError See `LoaderProcesses.run`.
   */
  async verify(load: Omit<FileLoad, 'folder' | 'mayBeNameless'>): Promise<Verified> {
    return (await this.#work(load, { tablePath: '', isSumEnough: true })) as Verified;
  }

  /** As `openSlotTable`. */
  open(folder: string, record: TableRecord | undefined): Promise<TableMap | undefined> {
    return openSlotTable(folder, record, this.recipe);
  }

  async #work(
    { path, md5, expected, part, isLinked = false, ...load }: Omit<FileLoad, 'folder'>,
    task: Pick<LoadRequest, 'tablePath' | 'isSumEnough'>,
  ): Promise<LoadResult> {
    const { onLoad, loadMsMin, baseDir, ...options } = this.#options;
    const { scanner, gzipped, bucket, fields, namespaces, prefix, place } = options;
    const running: RunningLoad = {
      ...{ path, isLinked, sinceMs: Date.now() },
      progress: { stage: 'verify', bytes: 0 },
    };
    this.#running = running;
    onLoad?.(running);
    const report = (): void => load.onProgress?.(running.progress);
    report();
    const timer = setInterval(report, PROGRESS_INTERVAL_MS);
    timer.unref();
    try {
      const request = {
        ...{ path, md5, expected, ...task, scanner, gzipped, bucket, fields, namespaces, prefix },
        ...{ place, isWider: this.#isWider(part), scratchDir: baseDir },
      };
      return await PROCESSES.run(request, {
        onProgress: (progress) => {
          running.progress = progress;
        },
        msMax: await loadMsMax(path, loadMsMin),
        signal: load.signal,
      });
    } finally {
      clearInterval(timer);
      this.#running = undefined;
      onLoad?.(undefined);
    }
  }

  #isWider(part: string | undefined): boolean {
    const own = this.part;
    return part !== undefined && own !== undefined && part !== own && covers(part, own);
  }

  /** No load may be under way. */
  close(): Promise<void> {
    return PROCESSES.close();
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** How many milliseconds the work on a file may take. */
async function loadMsMax(path: string, msMin: number = LOAD_MS_MIN): Promise<number> {
  const stats = await stat(path).catch(() => undefined);
  return Math.min(TIMER_MS_MAX, msMin + (stats?.size ?? 0) / LOAD_BYTES_PER_MS);
}
