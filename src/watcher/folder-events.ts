import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { FSWatcher } from 'chokidar';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { FewNamesWatcher } from './few-names.ts';

export interface FolderEventsOptions {
  /** Absolute path of the folder. */
  readonly folder: string;
  /** The names in the folder that matter; no other file is watched or told of. */
  readonly names: ReadonlySet<string>;
  /** Names of links that lead to the files: each change of them counts, too. */
  readonly links: ReadonlySet<string>;
  /** Poll every so many milliseconds; `undefined` to wait for events of the file system. */
  readonly pollMs: number | undefined;
  /** Something may have happened to a name: only a hint, since events get lost and merged. */
  readonly onEvent: () => void;
  readonly logger: Logger;
}

/** Tells when something happens to some names in a folder, which may go away and come back. */
export class FolderEvents {
  readonly #options: FolderEventsOptions;
  #watcher: FSWatcher | undefined;
  /** Which folder `#watcher` watches: another one at the same path needs another watcher. */
  #key: string | undefined;
  #isMissing = false;
  #isClosed = false;

  constructor(options: FolderEventsOptions) {
    this.#options = options;
  }

  /**
   * Sees to it that the events of the folder that is there now are received. To be called before
   * each look at the names. Logs when the folder goes away and when it is back.
   *
   * @returns Whether there is a folder.
   */
  async attend(): Promise<boolean> {
    const { folder, logger } = this.#options;
    const found = await findFolder(folder);
    if (this.#isClosed) return false;
    if (found.key === undefined) {
      if (!this.#isMissing) {
        logger.warn(`FOLDER_UNUSABLE: ${folder} is not there (${found.why}). It is waited for.`);
      }
      this.#isMissing = true;
      await this.#stop();
      return false;
    }
    if (this.#isMissing) logger.info(`${folder} is there and is watched.`);
    this.#isMissing = false;
    if (found.key !== this.#key) {
      await this.#stop();
      if (!this.#isClosed) this.#start(found.key);
    }
    return true;
  }

  /** Stops the events and frees the descriptors. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#stop();
  }

  async #stop(): Promise<void> {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    this.#key = undefined;
    const closed = watcher?.close();
    // Closing removes the listeners, and an error event without one would end the process.
    watcher?.on('error', () => {});
    await closed;
  }

  #start(key: string): void {
    const { folder, names, links, pollMs, onEvent, logger } = this.#options;
    const watcher = new FewNamesWatcher(names, {
      depth: 0,
      // A folder may hold a million other files, and each one watched costs a descriptor.
      ignored: (path) => dirname(path) === folder && !names.has(basename(path)),
      // Joining an editor's "unlink, add" costs 100 ms and hides names that look like backups.
      atomic: false,
      ignorePermissionErrors: true,
      ...(pollMs === undefined
        ? { usePolling: false }
        : { usePolling: true, interval: pollMs, binaryInterval: pollMs }),
    });
    watcher.on('all', (event, path) => {
      // A new folder may get the number of the old one: the key alone would not tell.
      if (event === 'unlinkDir' && resolve(path) === folder) this.#key = undefined;
      onEvent();
    });
    // The other events are throttled by dropping: of two changes within 50 ms one is never told.
    watcher.on('raw', (_event, path, details) => {
      const { watchedPath } = (details ?? {}) as { readonly watchedPath?: string };
      const name = path ? basename(path) : undefined;
      const isKnown = name === undefined || names.has(name) || links.has(name);
      if (watchedPath !== folder || isKnown) onEvent();
    });
    // What happened before the first listing was complete may have raised no event.
    watcher.on('ready', onEvent);
    let isWarned = false;
    watcher.on('error', (error) => {
      if (isWarned) return;
      isWarned = true;
      logger.warn(
        `Watching ${folder} failed: ${messageOf(error)}. It is looked at from time to time, ` +
          'so that a drop may be found late.',
      );
    });
    watcher.add(folder);
    this.#watcher = watcher;
    this.#key = key;
  }
}

/** What tells the folder at a path from an earlier one, or why there is none. */
async function findFolder(
  folder: string,
): Promise<{ readonly key: string } | { readonly key: undefined; readonly why: string }> {
  try {
    const stats = await stat(folder, { bigint: true });
    if (!stats.isDirectory()) return { key: undefined, why: 'a file has its name' };
    return { key: `${stats.dev}:${stats.ino}:${stats.birthtimeNs}` };
  } catch (error) {
    return { key: undefined, why: messageOf(error) };
  }
}
