import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { FSWatcher } from 'chokidar';
import { messageOf } from '../common/errors.ts';
import type { Logger } from '../common/log.ts';

export interface FolderEventsOptions {
  /** Absolute path of the folder. */
  readonly folder: string;
  /** The names in the folder whose events matter. */
  readonly names: ReadonlySet<string>;
  /** Whether to receive events; if not, only the presence of the folder is checked. */
  readonly isWatched: boolean;
  /** Called when a name may have changed. Only a hint: events get lost and merged. */
  readonly onEvent: () => void;
  readonly logger: Logger;
}

/**
 * A watcher that lists no folder. At each event chokidar lists the folder and looks at every entry:
 * with 100,000 files, that kept a processor busy for seconds. Here the list is empty, and the raw
 * events, which have names, are enough. If chokidar lists folders by another method one day, this is
 * slow again, not wrong.
 */
class UnlistedFolderWatcher extends FSWatcher {
  override _readdirp(): ReturnType<FSWatcher['_readdirp']> {
    return Readable.from([]) as ReturnType<FSWatcher['_readdirp']>;
  }
}

/**
 * Receives the events of some names in a folder, which may go away and come back. The folder is never
 * listed, and no file in it is watched by itself: there may be any number of them.
 */
export class FolderEvents {
  readonly #options: FolderEventsOptions;
  #watcher: FSWatcher | undefined;
  /** The folder that `#watcher` watches: another one at the same path needs another watcher. */
  #key: string | undefined;
  #isMissing = false;
  /** The folder whose watch failed, and was warned of. */
  #warnedKey: string | undefined;
  #isClosed = false;

  constructor(options: FolderEventsOptions) {
    this.#options = options;
  }

  /**
   * Watches the folder that is there now. Call this before each look at the names. Logs when the
   * folder goes away and when it is back.
   *
   * @returns Whether there is a folder.
   */
  async attend(): Promise<boolean> {
    const { folder, logger } = this.#options;
    const found = await findFolder(folder);
    if (this.#isClosed) return false;
    if (found.key === undefined) {
      if (!this.#isMissing) {
        logger.warn(
          `FOLDER_UNUSABLE: ${folder}: expected a folder, found none (${found.why}): ` +
            'it is watched again when it is there',
          { event: 'drop-folder-missing', code: 'FOLDER_UNUSABLE', path: folder },
        );
      }
      this.#isMissing = true;
      await this.#stop();
      return false;
    }
    const fields = { event: 'drop-folder-found', path: folder } as const;
    if (this.#isMissing) logger.info(`${folder} is there and is watched`, fields);
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
    // `close` removes the listeners, and an error event without one would end the process.
    watcher?.on('error', () => {});
    await closed;
  }

  #start(key: string): void {
    const { folder, names, isWatched, onEvent } = this.#options;
    this.#key = key;
    if (!isWatched) return;
    const watcher = new UnlistedFolderWatcher({ depth: 0 });
    // chokidar makes its other events from listings, and drops some of them.
    watcher.on('raw', (event, name) => {
      const isFolder = name === basename(folder);
      // A new folder may get the inode number of the old one, and so have an equal key.
      if (isFolder && event === 'rename' && this.#watcher === watcher) this.#key = undefined;
      if (!name || isFolder || names.has(name)) onEvent();
    });
    // Changes before the watch began have raised no event.
    watcher.on('ready', onEvent);
    watcher.on('error', (error) => this.#fail(key, error));
    watcher.add(folder);
    this.#watcher = watcher;
  }

  /** The next look tries another watch. */
  #fail(key: string, error: unknown): void {
    const { folder, logger } = this.#options;
    void this.#stop();
    if (this.#warnedKey === key) return;
    this.#warnedKey = key;
    logger.warn(
      `Watching ${folder} failed: ${messageOf(error)}: ` +
        'it is checked periodically instead, so a drop may be found late',
      { event: 'watch-failed', path: folder },
    );
  }
}

/** The key of the folder at a path, which another folder there does not have, or why there is none. */
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
