import { GoromdbError, messageOf } from '../common/errors.ts';
import type { Complaint } from './complaints.ts';

/** The pauses between tries double up to this. */
const AGAIN_MS_MAX = 600_000;
/** A scanner that fails on a file this often will not succeed: it sees the same bytes each time. */
const SCANNER_TRIES_MAX = 5;

/** What a look at a file and its sum file has come to. */
export interface Judgement {
  /** The pair that was judged; another pair is not bound by it. */
  readonly key: string;
  /** What to warn of once the pair has settled. */
  readonly complaint?: Complaint;
  /** When the same pair is worth another try; never, unless given. Nothing is said until then. */
  readonly retryAtMs?: number;
  /** The same for what may fail for other reasons than the files: it is complained of at once. */
  readonly againAtMs?: number;
}

/** When the same pair is worth another try. */
export function nextTryMs({ retryAtMs = Infinity, againAtMs = Infinity }: Judgement): number {
  return Math.min(retryAtMs, againAtMs);
}

/** What is to be done about a load that failed for another reason than the file. */
export interface Retry {
  /** Milliseconds until it is worth another try; undefined: only a change is. */
  readonly pauseMs: number | undefined;
  /** What happens next, for people; undefined when it was said before. */
  readonly news: string | undefined;
}

/** Counts the tries of one drop. Lack of room or descriptors passes, and nobody knows when. */
export class Retries {
  readonly #againMs: number;
  #key = '';
  #tries = 0;

  /** @param againMs The first pause. */
  constructor(againMs: number) {
    this.#againMs = againMs;
  }

  /** Begins to count anew. */
  forget(): void {
    this.#key = '';
  }

  /** @param key Tells one drop from another. */
  after(key: string, error: unknown): Retry {
    if (key !== this.#key) {
      this.#key = key;
      this.#tries = 0;
    }
    this.#tries++;
    const isScanner = error instanceof GoromdbError && error.code === 'SCANNER_FAILED';
    if (isScanner && this.#tries >= SCANNER_TRIES_MAX) return this.#giveUp(error);
    const pauseMs = Math.min(this.#againMs * 2 ** (this.#tries - 1), AGAIN_MS_MAX);
    return { pauseMs, news: this.#tries === 1 ? this.#plan(error, isScanner) : undefined };
  }

  #plan(error: unknown, isScanner: boolean): string {
    const last = isScanner
      ? `${SCANNER_TRIES_MAX} times in all`
      : `at least every ${inWords(AGAIN_MS_MAX)}`;
    return (
      `${messageOf(error)}. Nothing was changed: the drop stays, and the serving generation keeps serving.  ` +
      `It is tried again in ${inWords(this.#againMs)}, then less often, ${last}; ` +
      'at once when either file changes, and at SIGHUP.'
    );
  }

  #giveUp(error: unknown): Retry {
    const news =
      `${messageOf(error)}. It was tried ${this.#tries} times and is not tried again: mend the scanner or ` +
      'drop another file; SIGHUP has this one tried again.';
    return { pauseMs: undefined, news };
  }
}

function inWords(ms: number): string {
  return ms >= 120_000 ? `${Math.round(ms / 60_000)} minutes` : `${ms / 1000} s`;
}
