import { createHash } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { regionsOf, type TableSlice } from '../storage/checksum.ts';
import type { ServedTable } from '../storage/table.ts';

/** Bytes a second that are checked unless told otherwise. */
export const SCRUB_RATE_DEFAULT = 8 * 1024 * 1024;
/** And at most: what is faster would not be in the background. */
export const SCRUB_RATE_MAX = 1024 * 1024 * 1024;

/** Bytes that are checked at once: about 0.1 ms of a thread that serves. */
const SLICE_BYTES = 256 * 1024;
/** Time between two passes: a small data set is not read all the time. */
const PASS_PAUSE_MS = 60_000;

/** Where the serving generation lies. */
export interface SlotFile {
  readonly generation: number;
  readonly path: string;
  readonly md5: string;
  /** What is served through a map: the same file, or one that was made of it. */
  readonly map: { readonly path: string; readonly md5: string } | undefined;
}

export interface ScrubOptions {
  /** 1 to {@link SCRUB_RATE_MAX}. */
  readonly bytesPerSecond: number;
  readonly served: () => ServedTable | undefined;
  readonly slotFile: () => SlotFile | undefined;
  /** @returns The sum up to the slice's end; undefined when another generation serves. */
  readonly sum: (slice: TableSlice) => Promise<number | undefined>;
  /** Counts what was found. */
  readonly count: (name: 'scrub_passes' | 'scrub_file_faults' | 'scrub_memory_faults') => void;
  /** Told once of a generation whose file is damaged. */
  readonly onFileFault: (generation: number, text: string) => void;
  /** Loads this generation again, or the previous one, and puts it into service. */
  readonly heal: (damaged: ServedTable['info']) => Promise<void>;
  readonly logger: Logger;
  readonly passPauseMs?: number;
}

/** Checks what serves against its sums, over and over, slowly. */
export class Scrub {
  readonly #options: ScrubOptions;
  readonly #abort = new AbortController();
  readonly #sliceBytes: number;
  readonly #work: Promise<void>;
  /** The generation whose file was found damaged: it is told once. */
  #toldOf = 0;

  constructor(options: ScrubOptions) {
    this.#options = options;
    this.#sliceBytes = Math.ceil(Math.min(SLICE_BYTES, options.bytesPerSecond / 4));
    this.#work = this.#run();
  }

  /** Stops it. Safe to call twice. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#work;
  }

  async #run(): Promise<void> {
    const { passPauseMs = PASS_PAUSE_MS, logger } = this.#options;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.#pass();
      } catch (error) {
        if (!signal.aborted) logger.warn(`a scrub has failed: ${messageOf(error)}`);
      }
      await this.#pause(passPauseMs);
    }
  }

  async #pass(): Promise<void> {
    const { served, slotFile, count, heal, logger } = this.#options;
    const now = served();
    const file = slotFile();
    if (now === undefined || file?.generation !== now.info.generation) return;
    const { generation } = now.info;
    const isFileSound = await this.#checkFile(file);
    const damage = await this.#damageOf(now, file, isFileSound);
    // Whatever was found of a generation that does not serve any more is no news.
    if (this.#abort.signal.aborted || served()?.info.generation !== generation) return;
    if (!isFileSound) this.#tellOfFile(file, damage !== undefined);
    if (damage !== undefined) {
      count('scrub_memory_faults');
      const where = `the ${damage.what} of generation ${generation} is damaged (${damage.where})`;
      logger.error(`${where}: replies may have been wrong; it is loaded again`);
      await heal(now.info).catch((error: unknown) => {
        logger.error(
          `${where} and cannot be loaded again: ${messageOf(error)}; drop the file again`,
        );
      });
    }
    count('scrub_passes');
  }

  #tellOfFile({ path, md5, generation, map }: SlotFile, isServedDamaged: boolean): void {
    if (this.#toldOf === generation) return;
    this.#toldOf = generation;
    const { count, logger, onFileFault } = this.#options;
    count('scrub_file_faults');
    const where = map === undefined ? 'what is in memory' : 'its map';
    const now = isServedDamaged ? '' : `; ${where} is sound, and serves on`;
    // A map that is sound is served at a start without a look at the file that it was made of.
    const next =
      map === undefined || isServedDamaged
        ? 'a restart would serve the previous one'
        : 'a restart with other flags would serve the previous one';
    const text = `${path} is damaged: its MD5 is not ${md5} any more${now}; drop the file of generation ${generation} again: ${next}`;
    logger.error(text);
    onFileFault(generation, text);
  }

  /** What is wrong with what is served, if anything. */
  async #damageOf(
    served: ServedTable,
    { path, map }: SlotFile,
    isFileSound: boolean,
  ): Promise<{ readonly what: string; readonly where: string } | undefined> {
    if (map !== undefined) {
      const isSound = map.path === path ? isFileSound : await this.#checkFile(map);
      return isSound ? undefined : { what: 'map', where: map.path };
    }
    const region = await this.#damagedRegion(served);
    return region === undefined ? undefined : { what: 'memory', where: `region ${region}` };
  }

  /** Twice, before a file counts as damaged: what cannot be read now may be read later. */
  async #checkFile({ path, md5 }: Pick<SlotFile, 'path' | 'md5'>): Promise<boolean> {
    return (await this.#md5Of(path)) === md5 || (await this.#md5Of(path)) === md5;
  }

  /** @returns Something that is no sum for a file that cannot be read. */
  async #md5Of(path: string): Promise<string> {
    // A FIFO in its place must not block.
    const how = constants.O_RDONLY | constants.O_NONBLOCK;
    const file = await open(path, how).catch(() => undefined);
    if (file === undefined) return 'unreadable';
    try {
      return await this.#md5OfOpen(file);
    } catch (error) {
      return messageOf(error);
    } finally {
      await file.close();
    }
  }

  async #md5OfOpen(file: FileHandle): Promise<string> {
    const hash = createHash('md5');
    const buffer = Buffer.allocUnsafeSlow(this.#sliceBytes);
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
      await this.#pauseFor(bytesRead);
    }
  }

  /** @returns The number of the first region whose sum is wrong. */
  async #damagedRegion({ table, info }: ServedTable): Promise<number | undefined> {
    const { generation } = info;
    const regions = regionsOf(table);
    for (let region = 0; region < regions.length; region++) {
      const { bytes, sum: expected } = regions[region];
      let sum = 0;
      for (let start = 0; start < bytes; start += this.#sliceBytes) {
        const end = Math.min(bytes, start + this.#sliceBytes);
        const next = await this.#options.sum({ generation, region, start, end, sum });
        if (next === undefined || this.#abort.signal.aborted) return undefined;
        sum = next;
        await this.#pauseFor(end - start);
      }
      if (sum !== expected) return region;
    }
    return undefined;
  }

  async #pauseFor(bytes: number): Promise<void> {
    await this.#pause((bytes / this.#options.bytesPerSecond) * 1000);
    if (this.#abort.signal.aborted) throw new Error('it was stopped');
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#abort;
    await delay(ms, undefined, { signal, ref: false }).catch(() => {});
  }
}
