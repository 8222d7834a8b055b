/** What belongs in this folder: waits until a file and its MD5 are in the drop folder and quiet. */
import { basename, dirname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf, GoromdbError, isChange, messageOf } from '../common/errors.ts';
import { keyOf, type Sight, see } from '../common/file-identity.ts';
import type { Logger } from '../common/log.ts';
import { parseSumFile, readSumFile, SUM_FILE_BYTES_MAX } from '../common/sum-file.ts';
import type { Drop, Verdict } from './drop.ts';
import { isForced, VOLUME_LINK } from './drop-marks.ts';
import { duration } from './duration.ts';
import { FolderEvents } from './folder-events.ts';
import { OfferWatch } from './offer-watch.ts';
import { type Judgement, nextTryMs, Retries } from './retries.ts';
import {
  changed,
  failed,
  lineOf,
  mismatch,
  sumInvalid,
  sumMissing,
  unusable,
  type WaitReason,
} from './wait-reasons.ts';

/** How often to look at the files without an event: events get lost. */
const RESCAN_INTERVAL_MS = 5000;
/** How long both files must be quiet after a mismatch before they are offered again. */
const STABLE_MS = 250;
/** How long after the last change a fault is warned of: nobody is writing any more. */
const SETTLED_MS = 2000;
/** The first pause after a load that failed for want of descriptors, space or permission. */
const RETRY_MS = 30_000;
/** How long after its last change a file without its sum file is logged. */
const SUM_WAIT_MS = 30_000;
/** How often to look in polling mode. */
const POLL_INTERVAL_MS = 1000;

/** Least time between two looks: each write to a file raises an event. */
const LOOK_GAP_MS = 10;
/** A write this soon after another may leave the same mtime: kernels have ticks of up to 10 ms. */
const TIMESTAMP_TICK_MS = 20;

export interface WatcherOptions {
  /** The file to wait for; its sum file is `<file>.md5` in the same folder. */
  readonly file: string;
  /**
   * Called with each drop, never with two at once. `close()` aborts the signal and waits for the promise; another
   * file in the place of this one aborts it, too. An error is logged, and the drop is offered again
   * later, or when something changes.
   */
  readonly onDrop: (drop: Drop, signal: AbortSignal) => Promise<Verdict>;
  /**
   * Called when a file is there and not offered now. May be called again with the same reason.
   */
  readonly onWait?: (reason: WaitReason) => void;
  /** Called at each look that finds no file. */
  readonly onAbsent?: () => void;
  readonly logger: Logger;
  /** Poll instead of trusting events of the file system: for network mounts. Default `false`. */
  readonly polling?: boolean;
  /** Default {@link POLL_INTERVAL_MS}; only with `polling`. */
  readonly pollMs?: number;
  /** Default {@link RESCAN_INTERVAL_MS}. */
  readonly rescanMs?: number;
  /** Default {@link STABLE_MS}. */
  readonly stableMs?: number;
  /** Default {@link SETTLED_MS}. */
  readonly settledMs?: number;
  /** Default {@link RETRY_MS}. */
  readonly retryMs?: number;
  /** A clock in milliseconds, which measures how long the files have been quiet. */
  readonly now?: () => number;
}

export interface Watcher {
  /** Looks now, and forgets earlier results: a refused drop is offered again. */
  look(): void;
  /** Stops watching, aborts a running `onDrop` and waits for it. */
  close(): Promise<void>;
}

/**
 * Waits for a file and its sum file, in either order, and offers them as soon as both are there.
 * A file that is still being written has another MD5 at first: that costs one more look when it is
 * quiet. A fault that stays is warned of once.
 *
 * @throws RangeError when a duration is not between 1 ms and 2^31 - 1 ms.
 */
export function startWatcher(options: WatcherOptions): Watcher {
  const watcher = new PairWatcher(options);
  watcher.look();
  return watcher;
}

interface Pair {
  readonly file: Sight;
  readonly sum: Sight;
  readonly key: string;
  /** The next write to the file may not change its identity. */
  readonly isFresh: boolean;
}

class PairWatcher implements Watcher {
  readonly #file: string;
  readonly #sumFile: string;
  readonly #options: WatcherOptions;
  readonly #rescanMs: number;
  readonly #stableMs: number;
  readonly #settledMs: number;
  readonly #retries: Retries;
  readonly #abort = new AbortController();
  readonly #events: FolderEvents;

  #pairKey = '';
  #changedAtMs = 0;
  #judgement: Judgement | undefined;
  /** Whether the next offer waits until the files are quiet: somebody may be writing them. */
  #isCautious = false;
  /** How long the last offer took. */
  #offerMs = 0;
  #isForgetting = false;
  #offered: OfferWatch | undefined;
  /** The pair that was last warned of. */
  #warnedKey = '';

  #isWanted = false;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #wakeMs = 0;
  #closing: Promise<void> | undefined;

  constructor(options: WatcherOptions) {
    const { polling = false } = options;
    this.#file = resolve(options.file);
    this.#sumFile = `${this.#file}.md5`;
    this.#options = options;
    const pollMs = duration('pollMs', options.pollMs, POLL_INTERVAL_MS);
    const rescanMs = duration('rescanMs', options.rescanMs, RESCAN_INTERVAL_MS);
    this.#rescanMs = polling ? Math.min(pollMs, rescanMs) : rescanMs;
    this.#stableMs = duration('stableMs', options.stableMs, STABLE_MS);
    this.#settledMs = duration('settledMs', options.settledMs, SETTLED_MS);
    this.#retries = new Retries(duration('retryMs', options.retryMs, RETRY_MS));
    this.#events = new FolderEvents({
      folder: dirname(this.#file),
      names: new Set([basename(this.#file), basename(this.#sumFile), VOLUME_LINK]),
      isWatched: !polling,
      onEvent: () => this.#want(),
      logger: options.logger,
    });
  }

  look(): void {
    // Not forgotten here: the verdict of an offer that runs now would come later.
    this.#isForgetting = true;
    this.#want();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    await this.#running;
    await this.#events.close();
  }

  /** Asks for a look. Requests during a look or an offer are one look after it. */
  #want(): void {
    this.#isWanted = true;
    this.#offered?.look();
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (this.#isWanted && !signal.aborted) {
      this.#isWanted = false;
      clearTimeout(this.#timer);
      this.#wakeMs = this.#rescanMs;
      await this.#examine().catch((error: unknown) => {
        const fields = { event: 'look-failed', code: codeOf(error), path: this.#file } as const;
        this.#options.logger.error(
          `cannot look at ${this.#file}: ${messageOf(error)}; it is tried again`,
          fields,
        );
      });
      await delay(LOOK_GAP_MS, undefined, { signal }).catch(() => {});
    }
    this.#running = undefined;
    if (!signal.aborted) this.#timer = setTimeout(() => this.#want(), this.#wakeMs);
  }

  /** The next look comes within this many milliseconds. */
  #wakeIn(ms: number): void {
    if (ms > 0) this.#wakeMs = Math.min(this.#wakeMs, Math.ceil(ms));
  }

  async #examine(): Promise<void> {
    if (this.#isForgetting) {
      this.#isForgetting = false;
      this.#judgement = undefined;
      this.#warnedKey = '';
      this.#isCautious = false;
      this.#retries.forget();
    }
    if (!(await this.#events.attend())) {
      this.#options.onAbsent?.();
      return;
    }
    const pair = await this.#seePair();
    if (this.#abort.signal.aborted) return;
    if (pair.key !== this.#pairKey) {
      this.#pairKey = pair.key;
      this.#changedAtMs = this.#nowMs();
    }
    // The event of the last change may be lost: look once more when the files are quiet.
    this.#wakeIn(this.#stableMs - this.#quietMs());
    const judged = this.#judgement;
    if (judged?.key === pair.key && performance.now() < nextTryMs(judged)) {
      this.#warnWhenSettled(judged);
      return;
    }
    this.#judgement = undefined;
    const judgement = await this.#judge(pair);
    if (judgement === undefined) return;
    // This took time: warn only after another look has found the pair unchanged.
    this.#judgement = judgement;
    this.#isWanted = true;
    if (judgement.reason !== undefined) this.#options.onWait?.(judgement.reason);
  }

  #nowMs(): number {
    return (this.#options.now ?? performance.now.bind(performance))();
  }

  /** How long no look has found the pair changed. */
  #quietMs(): number {
    return this.#nowMs() - this.#changedAtMs;
  }

  /** Most drops begin without a sum file. After a while the producer must have forgotten it. */
  #waitForSum(key: string): void {
    const reason = sumMissing(this.#file, this.#sumFile);
    this.#options.onWait?.(reason);
    const waitMs = SUM_WAIT_MS - this.#quietMs();
    if (waitMs > 0) this.#wakeIn(waitMs);
    else this.#warnOnce(key, reason);
  }

  async #seePair(): Promise<Pair> {
    const nowMs = Date.now();
    const [file, sum] = await Promise.all([see(this.#file), see(this.#sumFile)]);
    const ageMs = file.kind === 'file' ? nowMs - Number(file.identity.mtimeNs / 1_000_000n) : 0;
    const isFresh = Math.abs(ageMs) < TIMESTAMP_TICK_MS;
    return { file, sum, key: `${keyOf(file)} ${keyOf(sum)}`, isFresh };
  }

  /** Offers the pair if it can be offered now. @returns undefined: there is no result yet. */
  async #judge(pair: Pair): Promise<Judgement | undefined> {
    const { file, sum, key } = pair;
    if (file.kind !== 'file' || sum.kind !== 'file') {
      this.#isCautious = false;
      if (file.kind === 'unusable') return { key, reason: unusable(this.#file, file.what) };
      if (sum.kind === 'unusable') return { key, reason: unusable(this.#sumFile, sum.what) };
      if (file.kind === 'file') this.#waitForSum(key);
      else this.#options.onAbsent?.();
      return undefined;
    }
    const waitMs = this.#isCautious ? this.#pauseMs() - this.#quietMs() : 0;
    if (waitMs > 0) {
      this.#wakeIn(waitMs);
      return undefined;
    }
    let bytes: Buffer;
    try {
      bytes = await readSumFile(this.#sumFile, sum.identity);
    } catch (error) {
      if (isChange(error)) return { key, recheckAtMs: performance.now() + this.#stableMs };
      const reason = unusable(this.#sumFile, `an unreadable one (${messageOf(error)})`);
      return { key, reason, ...this.#retryIn(this.#retries.after(key, error).pauseMs) };
    }
    const isLinked = file.isLinked || sum.isLinked;
    const paths = { file: this.#file, sumFile: this.#sumFile, isLinked };
    const md5 =
      bytes.length > SUM_FILE_BYTES_MAX ? undefined : parseSumFile(bytes, basename(this.#file));
    if (md5 === undefined) return { key, reason: sumInvalid(paths, bytes) };
    return this.#offer(pair, {
      ...paths,
      md5,
      identity: file.identity,
      force: await isForced(this.#file, md5),
    });
  }

  #retryIn(pauseMs: number | undefined): Pick<Judgement, 'retryAtMs'> {
    return pauseMs === undefined ? {} : { retryAtMs: performance.now() + pauseMs };
  }

  /** How long the pair must be quiet after a failed offer: longer after one that took longer. */
  #pauseMs(): number {
    return Math.max(this.#stableMs, Math.min(this.#offerMs, this.#settledMs));
  }

  async #offer(pair: Pair, drop: Drop): Promise<Judgement | undefined> {
    const { signal } = this.#abort;
    if (signal.aborted) return undefined;
    const { key } = pair;
    const startMs = performance.now();
    const watch = new OfferWatch(drop, signal, this.#rescanMs);
    this.#offered = watch;
    let verdict: Verdict;
    try {
      verdict = await this.#options.onDrop(drop, watch.signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!watch.isSuperseded) return this.#postpone(drop, key, error);
      this.#options.logger.info(
        `the load of ${drop.file} is aborted: another file is in its place`,
        { event: 'load-aborted', path: drop.file },
      );
      verdict = { kind: 'changed' };
    } finally {
      watch.end();
      this.#offered = undefined;
    }
    const nowMs = performance.now();
    this.#offerMs = nowMs - startMs;
    this.#isCautious = verdict.kind === 'mismatch' || verdict.kind === 'changed';
    if (verdict.kind === 'changed') {
      this.#options.onWait?.(changed(drop, drop.md5));
      return { key, recheckAtMs: nowMs + this.#settledMs };
    }
    if (verdict.kind !== 'mismatch') return { key };
    const reason = mismatch(drop, drop.md5, verdict.found);
    return pair.isFresh ? { key, reason, recheckAtMs: nowMs + this.#pauseMs() } : { key, reason };
  }

  /** A load failed, and not because of the file. */
  #postpone(drop: Drop, key: string, error: unknown): Judgement {
    const { pauseMs, message } = this.#retries.after(key, error);
    const code = error instanceof GoromdbError ? error.code : 'LOADER_FAILED';
    this.#options.onWait?.(failed(drop, drop.md5, code, messageOf(error)));
    if (message !== undefined) {
      const fields = { event: 'load-failed', code, path: drop.file } as const;
      this.#options.logger.error(`Loading ${drop.file} failed: ${message}`, fields);
    }
    return { key, ...this.#retryIn(pauseMs) };
  }

  #warnWhenSettled(judged: Judgement): void {
    const { key, reason, recheckAtMs, retryAtMs } = judged;
    const nextMs = nextTryMs(judged);
    if (nextMs !== Infinity) this.#wakeIn(nextMs - performance.now());
    if (recheckAtMs !== undefined || reason === undefined) return;
    const waitMs = this.#settledMs - this.#quietMs();
    if (waitMs > 0) {
      this.#wakeIn(waitMs);
      return;
    }
    this.#judgement = retryAtMs === undefined ? { key } : { key, retryAtMs };
    this.#warnOnce(key, reason);
  }

  /** Further tries of the same pair warn no more. */
  #warnOnce(key: string, reason: WaitReason): void {
    if (this.#warnedKey === key) return;
    this.#warnedKey = key;
    const fields = { event: 'drop-waits', code: reason.code, path: this.#file } as const;
    this.#options.logger.warn(lineOf(reason), fields);
  }
}
