import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

export interface FolderEventsOptions {
  /** Absolute path of the folder. */
  readonly folder: string;
  /** The names in the folder that matter; no other one is told of. */
  readonly names: ReadonlySet<string>;
  /** Whether events are asked for at all; if not, only the folder is looked after. */
  readonly isWatched: boolean;
  /** Something may have happened to a name: only a hint, since events get lost and merged. */
  readonly onEvent: () => void;
  readonly logger: Logger;
}

/**
 * Tells when something happens to some names in a folder, which may go away and come back. The folder is
 * never listed, and no file in it is watched by itself: others may put any number of them there.
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
      this.#stop();
      return false;
    }
    if (this.#isMissing) logger.info(`${folder} is there and is watched.`);
    this.#isMissing = false;
    if (found.key !== this.#key) {
      this.#stop();
      this.#start(found.key);
    }
    return true;
  }

  /** Stops the events and frees the descriptors. */
  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#key = undefined;
  }

  #start(key: string): void {
    const { folder, names, isWatched, onEvent } = this.#options;
    this.#key = key;
    if (!isWatched) return;
    try {
      this.#watcher = watch(folder, (event, name) => {
        if (name === null || names.has(name)) onEvent();
        if (name !== basename(folder)) return;
        // A new folder may get the number of the old one: the key alone would not tell.
        if (event === 'rename') this.#stop();
        onEvent();
      });
      this.#watcher.on('error', (error) => this.#fail(key, error));
      // What happened before the watch began has raised no event.
      onEvent();
    } catch (error) {
      this.#fail(key, error);
    }
  }

  /** Another watch is tried at the next look. */
  #fail(key: string, error: unknown): void {
    const { folder, logger } = this.#options;
    this.#stop();
    if (this.#warnedKey === key) return;
    this.#warnedKey = key;
    logger.warn(
      `Watching ${folder} failed: ${messageOf(error)}. It is looked at from time to time, ` +
        'so that a drop may be found late.',
    );
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
