import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { codeOf, messageOf } from '../../common/errors.ts';
import { piecesOf } from '../../common/files.ts';
import type { Logger } from '../../common/log.ts';
import type { DataSetInfo } from '../../storage/storage.ts';
import { isSoundRegion, openToRead } from '../../storage/table/table-file.ts';
import type { Region, TableLayout } from '../../storage/table/table-layout.ts';
import { TABLE_NAME } from '../slots/slot-table.ts';

/** Bytes a second that are checked by default. */
export const SCRUB_RATE_DEFAULT = 8 * 1024 * 1024;
/** And at most: what is faster would not be in the background. */
export const SCRUB_RATE_MAX = 1024 * 1024 * 1024;

/** Bytes that are checked at once: about 0.1 ms. */
const SLICE_BYTES = 256 * 1024;
/** Time between two passes: a small data set is not read all the time. */
const PASS_PAUSE_MS = 60_000;

/** Where the serving generation lies. */
export interface SlotFile {
  readonly generation: number;
  /** The file that was dropped, and its MD5. */
  readonly path: string;
  readonly md5: string;
  /** Of the table beside it, which is served. */
  readonly layout: TableLayout;
}

export interface ScrubOptions {
  /** Up to {@link SCRUB_RATE_MAX}; 0: only what `checksFirst` asks for. */
  readonly bytesPerSecond: number;
  /** Whether the table that serves is checked at once and at full speed: its checksums were not yet. */
  readonly checksFirst: boolean;
  readonly served: () => DataSetInfo | undefined;
  readonly slotFile: () => SlotFile | undefined;
  /** Counts what was found. */
  readonly count: (name: 'scrub_passes' | 'scrub_file_faults' | 'scrub_table_faults') => void;
  /** Called once for a generation whose file is damaged. */
  readonly onFileFault: (generation: number, text: string) => void;
  /** Makes this generation's table anew, or puts the previous one into service. */
  readonly repair: (damaged: DataSetInfo) => Promise<void>;
  readonly logger: Logger;
  readonly passPauseMs?: number;
}

/** Has a check wait, after so many bytes. */
type Pause = (bytes: number) => Promise<void>;

/**
 * Checks the serving generation against its checksums: once after a start, then over and over,
 * slowly.
 */
export class Scrub {
  readonly #options: ScrubOptions;
  readonly #abort = new AbortController();
  readonly #sliceBytes: number;
  readonly #work: Promise<void>;
  /** The generation whose file was found damaged: it is reported once. */
  #reportedOf = 0;
  /** Ends the pause between two passes. */
  #wake = new AbortController();

  constructor(options: ScrubOptions) {
    this.#options = options;
    this.#sliceBytes = Math.ceil(
      Math.min(SLICE_BYTES, (options.bytesPerSecond || SLICE_BYTES) / 4),
    );
    this.#work = this.#run();
  }

  /** Begins the next pass now, unless one runs. @returns Whether scrubbing is on. */
  hurry(): boolean {
    this.#wake.abort();
    return this.#options.bytesPerSecond > 0;
  }

  /** Stops it. Safe to call twice. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#work;
  }

  async #run(): Promise<void> {
    const { passPauseMs = PASS_PAUSE_MS, bytesPerSecond, checksFirst } = this.#options;
    const { signal } = this.#abort;
    if (checksFirst) await this.#attempt(() => this.#checkTable(() => this.#nextTurn()));
    if (bytesPerSecond === 0) return;
    while (!signal.aborted) {
      await this.#attempt(() => this.#pass());
      this.#wake = new AbortController();
      await this.#pause(passPauseMs, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  async #attempt(check: () => Promise<unknown>): Promise<void> {
    try {
      await check();
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const fields = { event: 'scrub-failed', code: codeOf(error) } as const;
      this.#options.logger.warn(`a scrub has failed: ${messageOf(error)}`, fields);
    }
  }

  async #pass(): Promise<void> {
    const { served, slotFile, count, bytesPerSecond } = this.#options;
    const pause = (bytes: number): Promise<void> => this.#pauseFor(bytes, bytesPerSecond);
    const file = slotFile();
    if (file === undefined || served()?.generation !== file.generation) return;
    const isFileSound = await this.#twice(() => this.#isFileSound(file, pause));
    const isTableSound = await this.#checkTable(pause);
    if (this.#abort.signal.aborted) return;
    // Whatever was found of a generation that does not serve any more is no news.
    const isServed = isTableSound !== undefined && served()?.generation === file.generation;
    if (!isFileSound && isServed) this.#reportFile(file);
    count('scrub_passes');
  }

  /** @returns Whether the table that serves is sound; undefined when another one serves meanwhile. */
  async #checkTable(pause: Pause): Promise<boolean | undefined> {
    const { served, slotFile, count, repair, logger } = this.#options;
    const file = slotFile();
    const info = served();
    if (info === undefined || file?.generation !== info.generation) return undefined;
    const path = join(dirname(file.path), TABLE_NAME);
    const { segments, index } = file.layout;
    for (const region of [index, ...segments]) {
      const isSound = await this.#twice(() => this.#isRegionSound(path, region, pause));
      if (this.#abort.signal.aborted || served()?.generation !== info.generation) return undefined;
      if (isSound) continue;
      count('scrub_table_faults');
      const where = `${path}, the table of generation ${info.generation}, is damaged (bytes ${region.at} to ${region.at + region.bytes - 1} have another CRC-32)`;
      const { generation } = info;
      const fields = { event: 'table-damaged', generation, path } as const;
      logger.error(`${where}: replies may have been wrong; the table is made anew`, fields);
      await repair(info).catch((error: unknown) => {
        const line = `${where} and cannot be made anew (${messageOf(error)}): drop the file again`;
        logger.error(line, { ...fields, code: codeOf(error) });
      });
      return false;
    }
    return true;
  }

  #reportFile({ path, md5, generation }: SlotFile): void {
    if (this.#reportedOf === generation) return;
    this.#reportedOf = generation;
    const { count, logger, onFileFault } = this.#options;
    count('scrub_file_faults');
    const text =
      `${path} is damaged: expected the MD5 ${md5}, found another; the table that was made of it keeps ` +
      `serving. Drop the file of generation ${generation} again: a restart with other options would ` +
      'serve the previous one';
    logger.error(text, { event: 'file-damaged', generation, path });
    onFileFault(generation, text);
  }

  /** Before something counts as damaged: what cannot be read now may be read later. */
  async #twice(check: () => Promise<boolean>): Promise<boolean> {
    return (await check()) || (!this.#abort.signal.aborted && (await check()));
  }

  async #isRegionSound(path: string, region: Region, pause: Pause): Promise<boolean> {
    let fd: number;
    try {
      fd = openToRead(path);
    } catch {
      return false;
    }
    try {
      return await isSoundRegion(fd, region, pause, this.#sliceBytes);
    } finally {
      closeSync(fd);
    }
  }

  async #isFileSound({ path, md5 }: SlotFile, pause: Pause): Promise<boolean> {
    // A FIFO in its place must not block.
    const how = constants.O_RDONLY | constants.O_NONBLOCK;
    const file = await open(path, how).catch(() => undefined);
    if (file === undefined) return false;
    try {
      return (await this.#md5Of(file, pause)) === md5;
    } finally {
      await file.close();
    }
  }

  async #md5Of(file: FileHandle, pause: Pause): Promise<string> {
    const hash = createHash('md5');
    for await (const piece of piecesOf(file, this.#sliceBytes)) {
      hash.update(piece);
      await pause(piece.length);
    }
    return hash.digest('hex');
  }

  async #nextTurn(): Promise<void> {
    await nextTurn();
    if (this.#abort.signal.aborted) throw new Error('it was stopped');
  }

  async #pauseFor(bytes: number, bytesPerSecond: number): Promise<void> {
    await this.#pause((bytes / bytesPerSecond) * 1000);
    if (this.#abort.signal.aborted) throw new Error('it was stopped');
  }

  async #pause(ms: number, signal = this.#abort.signal): Promise<void> {
    await delay(ms, undefined, { signal, ref: false }).catch(() => {});
  }
}
