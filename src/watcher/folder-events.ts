import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { FSWatcher } from 'chokidar';
import { messageOf } from '../common/errors.ts';
import type { Logger } from '../common/log.ts';

export interface FolderEventsOptions {
  /** Absolute path of the folder. */
  readonly folder: string;
  /** The names in the folder that matter; events of others are dropped. */
  readonly names: ReadonlySet<string>;
  /** Whether events are asked for at all; if not, only the folder is looked after. */
  readonly isWatched: boolean;
  /** Something may have happened to a name: only a hint, since events get lost and merged. */
  readonly onEvent: () => void;
  readonly logger: Logger;
}

/**
 * A watcher that lists no folder. At each event of a folder chokidar lists it and looks at all that it
 * finds: with 100,000 files there, that kept a processor busy for seconds. It learns here that there is
 * nothing, and its raw events, which have names, are enough. A chokidar that lists folders by another
 * method would be slow again, not wrong.
 */
class UnlistedFolderWatcher extends FSWatcher {
  override _readdirp(): ReturnType<FSWatcher['_readdirp']> {
    return Readable.from([]) as ReturnType<FSWatcher['_readdirp']>;
  }
}

/**
 * Tells when something happens to some names in a folder, which may go away and come back. The folder
 * is never listed, and no file in it is watched by itself: others may put any number of them there.
 */
export class FolderEvents {
  readonly #options: FolderEventsOptions;
  #watcher: FSWatcher | undefined;
  /** Which folder `#watcher` watches: another one at the same path needs another watcher. */
  #key: string | undefined;
  #isMissing = false;
  /** The folder whose events are known not to come. */
  #warnedKey: string | undefined;
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
    const { folder, names, isWatched, onEvent } = this.#options;
    this.#key = key;
    if (!isWatched) return;
    const watcher = new UnlistedFolderWatcher({ depth: 0 });
    // The other events come of listings, and are throttled by dropping.
    watcher.on('raw', (event, name) => {
      const isFolder = name === basename(folder);
      // A new folder may get the number of the old one: the key alone would not show it.
      if (isFolder && event === 'rename' && this.#watcher === watcher) this.#key = undefined;
      if (!name || isFolder || names.has(name)) onEvent();
    });
    // What happened before the watch began has raised no event.
    watcher.on('ready', onEvent);
    watcher.on('error', (error) => this.#fail(key, error));
    watcher.add(folder);
    this.#watcher = watcher;
  }

  /** Another watch is tried at the next look. */
  #fail(key: string, error: unknown): void {
    const { folder, logger } = this.#options;
    void this.#stop();
    if (this.#warnedKey === key) return;
    this.#warnedKey = key;
    logger.warn(
      `Watching ${folder} failed: ${messageOf(error)}. It is looked at from time to time, ` +
        'so that a drop may be found late.',
    );
  }
}

/** What distinguishes the folder at a path from an earlier one, or why there is none. */
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
