import { GoromdbError, messageOf } from '../common/errors.ts';
import type { WaitReason } from './wait-reasons.ts';

/** The pauses between tries double up to this. */
const RETRY_MS_MAX = 600_000;
/** Tries of a scanner that fails on a file: it sees the same bytes each time. */
const SCANNER_TRIES_MAX = 5;

/** The result of a look at a file and its sum file. */
export interface Judgement {
  /** The pair that was judged. */
  readonly key: string;
  /** What to warn of once the pair has settled. */
  readonly reason?: WaitReason;
  /** When to try the same pair again, without a warning until then. Default: never. */
  readonly recheckAtMs?: number;
  /** When to try it again after a failure that the files may not have caused. Default: never. */
  readonly retryAtMs?: number;
}

/** When to try the same pair again. */
export function nextTryMs({ recheckAtMs = Infinity, retryAtMs = Infinity }: Judgement): number {
  return Math.min(recheckAtMs, retryAtMs);
}

/** What to do about a load that failed for another reason than the file. */
export interface Retry {
  /** Milliseconds until the next try; undefined: only a change of the files causes one. */
  readonly pauseMs: number | undefined;
  /** What to log: the failure, and what happens next; undefined when it was logged before. */
  readonly message: string | undefined;
}

/** Counts the tries of one drop. A lack of room or descriptors passes at an unknown time. */
export class Retries {
  readonly #retryMs: number;
  #key = '';
  #tries = 0;

  /** @param retryMs The first pause. */
  constructor(retryMs: number) {
    this.#retryMs = retryMs;
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
    if (isScanner && this.#tries >= SCANNER_TRIES_MAX) return this.#end(error);
    const pauseMs = Math.min(this.#retryMs * 2 ** (this.#tries - 1), RETRY_MS_MAX);
    return { pauseMs, message: this.#tries === 1 ? this.#plan(error, isScanner) : undefined };
  }

  #plan(error: unknown, isScanner: boolean): string {
    const last = isScanner
      ? `${SCANNER_TRIES_MAX} times in all`
      : `at least every ${inWords(RETRY_MS_MAX)}`;
    return (
      `${messageOf(error)}. Nothing was changed: the drop stays, and the serving generation keeps serving. ` +
      `It is tried again in ${inWords(this.#retryMs)}, then less often, ${last}; ` +
      'at once when either file changes, and at SIGHUP.'
    );
  }

  #end(error: unknown): Retry {
    const message =
      `${messageOf(error)}. It was tried ${this.#tries} times and is not tried again: fix the scanner or ` +
      'drop another file; SIGHUP tries this one again.';
    return { pauseMs: undefined, message };
  }
}

function inWords(ms: number): string {
  return ms >= 120_000 ? `${Math.round(ms / 60_000)} minutes` : `${ms / 1000} s`;
}
