import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { expandInputs } from '../../build/expand.ts';
import { keyOf, see } from '../../common/file-identity.ts';
import type { Logger } from '../../common/log.ts';
import { FolderEvents } from '../../watcher/folder-events.ts';

/**
 * A file that has changed is read when its size, times and inode were the same at two looks this far
 * apart: a program that writes it in place may not be done.
 */
const SETTLED_MS = 500;

export interface FileWatchOptions {
  /** Files, folders and patterns, as `expandInputs` takes them. */
  readonly paths: readonly string[];
  /** Look this often in place of waiting for events; 0: wait for events. */
  readonly pollIntervalMs: number;
  /** Look this often beside the events. */
  readonly rescanMs: number;
  readonly logger: Logger;
}

/**
 * What distinguishes the content of files, folders and patterns from an earlier one, without reading
 * files.
 *
 * @returns undefined when one of them is not there, or is not finished.
 */
export async function contentKeyOf(paths: readonly string[]): Promise<string | undefined> {
  let files: readonly string[];
  try {
    files = expandInputs(paths.map((path) => resolve(path)));
  } catch {
    return undefined;
  }
  const sights = await Promise.all(files.map((path) => see(path)));
  if (sights.some(({ kind }) => kind !== 'file')) return undefined;
  return sights.map((sight, i) => `${files[i]} ${keyOf(sight)}`).join('\n');
}

/** Waits until files have changed and are quiet. Of many changes only the last one counts. */
export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #events: readonly FolderEvents[];
  #wake: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #isStirred = false;
  #isClosed = false;
  #isAbsent = false;

  constructor(options: FileWatchOptions) {
    const { pollIntervalMs, logger } = options;
    const paths = options.paths.map((path) => resolve(path));
    // What is in a folder, or fits a pattern, is found by looking.
    const named = paths.filter((path) => existsSync(dirname(path)));
    const folders = [...new Set(named.map((path) => dirname(path)))];
    this.#options = { ...options, paths };
    this.#events = folders.map((folder) => {
      const inFolder = paths.filter((path) => dirname(path) === folder);
      const names = new Set(inFolder.map((path) => basename(path)));
      const onEvent = (): void => {
        this.#isStirred = true;
        this.#wake();
      };
      return new FolderEvents({ folder, names, isWatched: pollIntervalMs === 0, onEvent, logger });
    });
  }

  /**
   * Resolves when the files are there and quiet, and differ from what is known.
   *
   * @param known The key of the content that was read last.
   * @returns The key of the new content; undefined when the watch was closed.
   */
  async next(known: string | undefined): Promise<string | undefined> {
    const { paths, pollIntervalMs, rescanMs } = this.#options;
    let seen: string | undefined;
    while (!this.#isClosed) {
      // Before the look: an event during it is not lost.
      this.#isStirred = false;
      for (const events of this.#events) await events.attend();
      const key = await contentKeyOf(paths);
      this.#noteAbsence(key === undefined);
      const isNew = key !== undefined && key !== known;
      if (isNew && key === seen) return key;
      seen = isNew ? key : undefined;
      await (isNew ? this.#rest(SETTLED_MS) : this.#restUntilEvent(pollIntervalMs || rescanMs));
    }
    return undefined;
  }

  /** Stops watching; `next` resolves. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await Promise.all(this.#events.map((events) => events.close()));
  }

  /** Events do not end it: a file that is being written raises many. */
  async #rest(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#timer = setTimeout(resolve, ms);
      this.#wake = () => this.#isClosed && resolve();
    });
    clearTimeout(this.#timer);
  }

  async #restUntilEvent(ms: number): Promise<void> {
    if (this.#isStirred || this.#isClosed) return;
    await new Promise<void>((resolve) => {
      this.#timer = setTimeout(resolve, ms);
      this.#wake = resolve;
    });
    clearTimeout(this.#timer);
  }

  #noteAbsence(isAbsent: boolean): void {
    const { paths, logger } = this.#options;
    if (isAbsent && !this.#isAbsent) {
      logger.warn(
        `${paths.join(', ')}: not there, or not finished; the serving generation keeps serving`,
        { event: 'file-absent' },
      );
    }
    this.#isAbsent = isAbsent;
  }
}
