import { join } from 'node:path';
import { messageOf } from '../../common/errors.ts';
import { readAtMost, replaceFile } from '../../common/files.ts';
import type { Logger } from '../../common/log.ts';
import type { EventKind, FolderEvent } from '../../common/status.ts';

export const EVENTS_NAME = 'events.json';
/** Events that are kept; the oldest goes first. */
const EVENTS_MAX = 10;
/** More than the longest events take. */
const EVENTS_BYTES_MAX = 256 * 1024;
/** Longest text that is kept of an event. */
const TEXT_CHARS_MAX = 1_000;

/** Something that happens to a base folder now. */
export interface NewEvent {
  readonly kind: EventKind;
  readonly text: string;
  /** Of an error. */
  readonly code?: string | undefined;
}

/** Keeps the last events of a base folder in a file, so that they outlive the process. */
export class EventLog {
  readonly #baseDir: string;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #onEvent: (event: NewEvent, kept?: FolderEvent) => void;
  #events: readonly FolderEvent[] = [];
  #writing: Promise<void> = Promise.resolve();
  #isWarned = false;

  /** @param onEvent Called of each event; `kept` is undefined for one that comes again. */
  constructor(
    baseDir: string,
    logger: Logger,
    onEvent: (event: NewEvent, kept?: FolderEvent) => void = () => {},
  ) {
    this.#onEvent = onEvent;
    this.#baseDir = baseDir;
    this.#path = join(baseDir, EVENTS_NAME);
    this.#logger = logger;
  }

  /** The newest last. */
  get events(): readonly FolderEvent[] {
    return this.#events;
  }

  /** Goes on from what an earlier process has left. */
  async load(): Promise<void> {
    this.#events = await readEvents(this.#baseDir);
  }

  /** Nobody waits for it to be written; that it cannot be hurts nothing. */
  add(kind: EventKind, text: string, code?: string): void {
    const last = this.#events.at(-1);
    const event = { at: new Date().toISOString(), kind, text: text.slice(0, TEXT_CHARS_MAX) };
    // What is tried again and fails again is no news.
    const isNews = last?.kind !== kind || last.text !== event.text;
    this.#onEvent({ kind, text, code }, isNews ? event : undefined);
    if (!isNews) return;
    this.#events = [...this.#events, event].slice(-EVENTS_MAX);
    this.#writing = this.#writing.then(() => this.#write());
  }

  /** Resolves when all is written, or could not be. */
  flush(): Promise<void> {
    return this.#writing;
  }

  async #write(): Promise<void> {
    try {
      await replaceFile(this.#path, `${JSON.stringify(this.#events, undefined, 2)}\n`);
      this.#isWarned = false;
    } catch (error) {
      if (!this.#isWarned) {
        this.#logger.warn(
          `${this.#path} cannot be written (${messageOf(error)}): events are kept in memory only`,
          { event: 'events-not-kept', path: this.#path },
        );
      }
      this.#isWarned = true;
    }
  }
}

/** The last events of a base folder, the newest last; what cannot be read is none. */
export async function readEvents(baseDir: string): Promise<readonly FolderEvent[]> {
  try {
    const events: unknown = JSON.parse(
      (await readAtMost(join(baseDir, EVENTS_NAME), EVENTS_BYTES_MAX)).toString('utf8'),
    );
    return Array.isArray(events) ? events.filter(isEvent).slice(-EVENTS_MAX) : [];
  } catch {
    return [];
  }
}

function isEvent(value: unknown): value is FolderEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { at, kind, text } = value as FolderEvent;
  return [at, kind, text].every((part) => typeof part === 'string');
}
