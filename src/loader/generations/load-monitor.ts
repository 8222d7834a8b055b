import { oneLine } from '../../common/log.ts';
import type { LoadNews, WaitingDrop } from '../../common/status.ts';
import type { NewEvent } from '../slots/events.ts';

/** Longest text of an error that clients see. */
const TEXT_CHARS_MAX = 250;

/** What of the loads is counted. */
type LoadCount = 'loads_taken' | 'loads_rejected' | 'loads_failed';

/** Who is notified of what becomes of drops. */
export interface LoadMonitorOptions {
  readonly onNews?: ((news: LoadNews) => void) | undefined;
  /** @param code Why it came to nothing. */
  readonly onCount?: ((name: LoadCount, code?: string) => void) | undefined;
}

/** Knows the state of a data set's loads, for whoever monitors it. */
export class LoadMonitor {
  readonly #options: LoadMonitorOptions;
  #news: LoadNews = { lastError: undefined, waiting: undefined };
  /** Since when there has been a drop that is not loaded. */
  #waitsSinceMs: number | undefined;

  constructor(options: LoadMonitorOptions) {
    this.#options = options;
    this.#change({});
  }

  get news(): LoadNews {
    return this.#news;
  }

  noteEvent({ kind, text, code = 'LOAD_FAILED' }: NewEvent): void {
    if (kind === 'rejected') this.#options.onCount?.('loads_rejected', code);
    if (kind === 'failed') this.#options.onCount?.('loads_failed', code);
    if (kind === 'rejected' || kind === 'failed' || kind === 'nothing to serve') {
      this.#change({ lastError: { code, text: shortened(text), atMs: Date.now() } });
    } else if (kind === 'serving') {
      this.#change({ lastError: undefined });
    }
  }

  noteWait({ code, text: reason }: Pick<WaitingDrop, 'code' | 'text'>): void {
    const { waiting } = this.#news;
    const text = shortened(reason);
    if (waiting?.code === code && waiting.text === text) return;
    this.#waitsSinceMs ??= Date.now();
    this.#change({ waiting: { code, text, sinceMs: this.#waitsSinceMs } });
  }

  /** A drop is tried: if that fails, it has waited all the time. */
  noteTry(): void {
    if (this.#news.waiting !== undefined) this.#change({ waiting: undefined });
  }

  noteTaken(): void {
    this.#options.onCount?.('loads_taken');
  }

  noteAbsence(): void {
    this.noteTry();
    this.#waitsSinceMs = undefined;
  }

  #change(change: Partial<LoadNews>): void {
    this.#news = { ...this.#news, ...change };
    this.#options.onNews?.(this.#news);
  }
}

/** In one line, since that is what clients and people at a terminal get. */
function shortened(text: string): string {
  return oneLine(text).slice(0, TEXT_CHARS_MAX);
}
