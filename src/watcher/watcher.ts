/** What belongs in this folder: waits until a file and its MD5 are in the drop folder and quiet. */
import { basename, dirname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GoromdbError, isChange, messageOf } from '../common/errors.ts';
import { type FileIdentity, keyOf, type Sight, see } from '../common/file-identity.ts';
import type { Logger } from '../common/log.ts';
import { parseSumFile, readSumFile, SUM_FILE_BYTES_MAX } from '../common/sum-file.ts';
import {
  type Complaint,
  changed,
  failed,
  lineOf,
  mismatch,
  sumInvalid,
  sumMissing,
  unusable,
} from './complaints.ts';
import { duration } from './duration.ts';
import { FolderEvents } from './folder-events.ts';
import { isForced } from './force-mark.ts';
import { OfferWatch } from './offer-watch.ts';
import { type Judgement, nextTryMs, Retries } from './retries.ts';
import { VOLUME_LINK } from './volume-link.ts';

/** The files are looked at this often even when no event says so: events get lost. */
const RESCAN_INTERVAL_MS = 5000;
/** After a mismatch, both files must have been quiet this long before they are offered again. */
const STABLE_MS = 250;
/** What is still wrong this long after the last change is not in the making: it is warned of. */
const SETTLED_MS = 2000;
/** A load that failed for want of descriptors, space or permission is first tried again after this. */
const AGAIN_MS = 30_000;
/** A file that is still without its sum file this long after its last change is logged. */
const SUM_WAIT_MS = 30_000;
/** How often the file system is asked in polling mode. */
const POLL_INTERVAL_MS = 1000;

/** Least time between two looks, so that a file written quickly does not cost a look each write. */
const LOOK_GAP_MS = 10;
/** A write this soon after another may leave the same mtime: kernels keep it in ticks to 10 ms. */
const TIMESTAMP_TICK_MS = 20;

/** A file and the sum that was dropped with it, not yet verified. */
export interface Drop {
  /** Absolute path of the file. */
  readonly file: string;
  /** Absolute path of its sum file. */
  readonly sumFile: string;
  /** The MD5 that the sum file promises: 32 lower-case hexadecimal digits. */
  readonly md5: string;
  /** The file as it was seen, without opening it, before the sum file was read. */
  readonly identity: FileIdentity;
  /** The file is marked: guards that would refuse it are overridden. */
  readonly force: boolean;
  /**
   * The file or its sum file is reached by a symbolic link, or has a second name: whoever put it there
   * may not be allowed to read it. What it holds is shown to nobody before it serves.
   */
  readonly isLinked: boolean;
}

/** What became of an offered drop. */
export type Verdict =
  /** Loaded and moved away. */
  | { readonly kind: 'taken' }
  /** Found bad and quarantined, or not movable: not offered again until something changes. */
  | { readonly kind: 'rejected' }
  /** The file's MD5 is `found`, not what the sum file promises. */
  | { readonly kind: 'mismatch'; readonly found: string }
  /** The file changed while it was read. */
  | { readonly kind: 'changed' };

export interface WatcherOptions {
  /** The file to wait for; its sum file is `<file>.md5` in the same folder. */
  readonly file: string;
  /**
   * Receives each drop, one at a time. The signal is aborted by `close()`, which then waits for the
   * promise, and when another file comes in the place of this one. What it throws is logged, and the
   * drop is offered again later, or when something changes.
   */
  readonly onDrop: (drop: Drop, signal: AbortSignal) => Promise<Verdict>;
  /**
   * Called with the reason when a file is there and not offered now. May be called again with the
   * same.
   */
  readonly onWait?: (complaint: Complaint) => void;
  /** Called when there is no file, as often as that is seen. */
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
  /** Default {@link AGAIN_MS}. */
  readonly againMs?: number;
  /** Clock in milliseconds that measures how long the files have been quiet. */
  readonly now?: () => number;
}

export interface Watcher {
  /** Looks now, forgetting what was judged before: what was refused is offered again. */
  look(): void;
  /** Stops watching, aborts a running `onDrop` and waits for it. */
  close(): Promise<void>;
}

/**
 * Waits for a file and its sum file, in either order, and offers them as soon as both are there.
 * A first mismatch is expected of a file still being written: it costs a look at quiet time later,
 * and only what stays wrong is warned of, once.
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
  /** The file may still change without its identity showing it. */
  readonly fresh: boolean;
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
  /** A look failed: wait for quiet before the next, since somebody is at work. */
  #cautious = false;
  /** How long the last offer took. */
  #offerMs = 0;
  #forget = false;
  #offered: OfferWatch | undefined;
  /** The pair that something was last said of. */
  #toldOf = '';

  #wanted = false;
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
    this.#retries = new Retries(duration('againMs', options.againMs, AGAIN_MS));
    this.#events = new FolderEvents({
      folder: dirname(this.#file),
      names: new Set([basename(this.#file), basename(this.#sumFile), VOLUME_LINK]),
      isWatched: !polling,
      onEvent: () => this.#want(),
      logger: options.logger,
    });
  }

  look(): void {
    // Not forgotten at once: an offer that runs now would write its verdict over it.
    this.#forget = true;
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

  /** Asks for a look; what is asked for during a look or an offer is one look after it. */
  #want(): void {
    this.#wanted = true;
    this.#offered?.look();
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (this.#wanted && !signal.aborted) {
      this.#wanted = false;
      clearTimeout(this.#timer);
      this.#wakeMs = this.#rescanMs;
      await this.#examine().catch((error: unknown) => {
        this.#options.logger.error(`Looking at ${this.#file} failed: ${messageOf(error)}`);
      });
      await delay(LOOK_GAP_MS, undefined, { signal }).catch(() => {});
    }
    this.#running = undefined;
    if (!signal.aborted) this.#timer = setTimeout(() => this.#want(), this.#wakeMs);
  }

  /** Has the next look happen no later than in so many milliseconds. */
  #wakeIn(ms: number): void {
    if (ms > 0) this.#wakeMs = Math.min(this.#wakeMs, Math.ceil(ms));
  }

  async #examine(): Promise<void> {
    if (this.#forget) {
      this.#forget = false;
      this.#judgement = undefined;
      this.#toldOf = '';
      this.#cautious = false;
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
    // The event of the last of many changes may be lost: look once more when they seem over.
    this.#wakeIn(this.#stableMs - this.#quietMs());
    const judged = this.#judgement;
    if (judged?.key === pair.key && performance.now() < nextTryMs(judged)) {
      this.#warnWhenSettled(judged);
      return;
    }
    this.#judgement = undefined;
    const judgement = await this.#judge(pair);
    if (judgement === undefined) return;
    // Judging takes time: warn of nothing before another look has found the pair unchanged.
    this.#judgement = judgement;
    this.#wanted = true;
    if (judgement.complaint !== undefined) this.#options.onWait?.(judgement.complaint);
  }

  #nowMs(): number {
    return (this.#options.now ?? performance.now.bind(performance))();
  }

  /** How long the pair has not changed, as far as looks show. */
  #quietMs(): number {
    return this.#nowMs() - this.#changedAtMs;
  }

  /** That is how most drops begin; a file that lies there for long is forgotten, or misunderstood. */
  #waitForSum(key: string): void {
    const complaint = sumMissing(this.#file, this.#sumFile);
    this.#options.onWait?.(complaint);
    const waitMs = SUM_WAIT_MS - this.#quietMs();
    if (waitMs > 0) this.#wakeIn(waitMs);
    else this.#tellOnce(key, () => this.#options.logger.warn(lineOf(complaint)));
  }

  async #seePair(): Promise<Pair> {
    const nowMs = Date.now();
    const [file, sum] = await Promise.all([see(this.#file), see(this.#sumFile)]);
    const ageMs = file.kind === 'file' ? nowMs - Number(file.identity.mtimeNs / 1_000_000n) : 0;
    const fresh = Math.abs(ageMs) < TIMESTAMP_TICK_MS;
    return { file, sum, key: `${keyOf(file)} ${keyOf(sum)}`, fresh };
  }

  /** Offers the pair if it can be offered now; `undefined` when there is nothing to judge yet. */
  async #judge(pair: Pair): Promise<Judgement | undefined> {
    const { file, sum, key } = pair;
    if (file.kind !== 'file' || sum.kind !== 'file') {
      this.#cautious = false;
      if (file.kind === 'unusable') return { key, complaint: unusable(this.#file, file.what) };
      if (sum.kind === 'unusable') return { key, complaint: unusable(this.#sumFile, sum.what) };
      if (file.kind === 'file') this.#waitForSum(key);
      else this.#options.onAbsent?.();
      return undefined;
    }
    const waitMs = this.#cautious ? this.#pauseMs() - this.#quietMs() : 0;
    if (waitMs > 0) {
      this.#wakeIn(waitMs);
      return undefined;
    }
    let bytes: Buffer;
    try {
      bytes = await readSumFile(this.#sumFile, sum.identity);
    } catch (error) {
      if (isChange(error)) return { key, retryAtMs: performance.now() + this.#stableMs };
      const complaint = unusable(this.#sumFile, `unreadable (${messageOf(error)})`);
      return { key, complaint, ...this.#again(this.#retries.after(key, error).pauseMs) };
    }
    const isLinked = file.isLinked || sum.isLinked;
    const paths = { file: this.#file, sumFile: this.#sumFile, isLinked };
    const md5 =
      bytes.length > SUM_FILE_BYTES_MAX ? undefined : parseSumFile(bytes, basename(this.#file));
    if (md5 === undefined) return { key, complaint: sumInvalid(paths, bytes) };
    return this.#offer(pair, {
      ...paths,
      md5,
      identity: file.identity,
      force: await isForced(this.#file, md5),
    });
  }

  #again(pauseMs: number | undefined): Pick<Judgement, 'againAtMs'> {
    return pauseMs === undefined ? {} : { againAtMs: performance.now() + pauseMs };
  }

  /** How long the pair must be quiet after a failed look: the more it cost, the longer. */
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
      );
      verdict = { kind: 'changed' };
    } finally {
      watch.end();
      this.#offered = undefined;
    }
    const nowMs = performance.now();
    this.#offerMs = nowMs - startMs;
    this.#cautious = verdict.kind === 'mismatch' || verdict.kind === 'changed';
    if (verdict.kind === 'changed') {
      this.#options.onWait?.(changed(drop, drop.md5));
      return { key, retryAtMs: nowMs + this.#settledMs };
    }
    if (verdict.kind !== 'mismatch') return { key };
    const complaint = mismatch(drop, drop.md5, verdict.found);
    return pair.fresh ? { key, complaint, retryAtMs: nowMs + this.#pauseMs() } : { key, complaint };
  }

  /** A load failed, and not because of the file. */
  #postpone(drop: Drop, key: string, error: unknown): Judgement {
    const { pauseMs, news } = this.#retries.after(key, error);
    const code = error instanceof GoromdbError ? error.code : 'LOADER_FAILED';
    this.#options.onWait?.(failed(drop, drop.md5, code, messageOf(error)));
    if (news !== undefined) this.#options.logger.error(`Loading ${drop.file} failed: ${news}`);
    return { key, ...this.#again(pauseMs) };
  }

  #warnWhenSettled(judged: Judgement): void {
    const { key, complaint, retryAtMs, againAtMs } = judged;
    const nextMs = nextTryMs(judged);
    if (nextMs !== Infinity) this.#wakeIn(nextMs - performance.now());
    if (retryAtMs !== undefined || complaint === undefined) return;
    const waitMs = this.#settledMs - this.#quietMs();
    if (waitMs > 0) {
      this.#wakeIn(waitMs);
      return;
    }
    this.#judgement = againAtMs === undefined ? { key } : { key, againAtMs };
    this.#tellOnce(key, () => this.#options.logger.warn(lineOf(complaint)));
  }

  /** Says what is wrong with a pair; what further tries find of the same pair is no news. */
  #tellOnce(key: string, tell: () => void): void {
    if (this.#toldOf === key) return;
    this.#toldOf = key;
    tell();
  }
}
