/**
 * What belongs in this folder: decides what serves: guards, swap, recovery, rollback, scrub.
 *
 * Where generations come from: the port between those who bring data and the loader, which decides
 * about it. A source offers; the loader takes an offer into a slot and into service, or rejects it,
 * and notifies it. Whoever adds a source implements `Source` and `Offer`, and touches nothing else of
 * the loader.
 */
import type { FileIdentity } from '../../common/file-identity.ts';
import type { WaitingDrop } from '../../common/status.ts';
import type { SlotName, SlotRecord } from '../slots/slots.ts';
import type { Seconds, Stage } from '../worker/progress.ts';
import type { LoadResult } from '../worker/worker.ts';

/** A generation that serves, and what it took. */
export interface InService {
  readonly slot: SlotName;
  readonly record: SlotRecord;
  readonly seconds: Seconds;
}

/** Why an offer waits, or is rejected. */
export interface Reason {
  readonly code: string;
  readonly reason: string;
  /** The figures that the reason speaks of, where there are some. */
  readonly numbers?: Readonly<Record<string, number | string>> | undefined;
}

/** What becomes of an offer. Percent counts the bytes of a stage. */
export type OfferNews =
  /** Nothing can be done with it now. */
  | ({ readonly state: 'waiting' } & Reason)
  /** Its MD5 is computed. */
  | { readonly state: 'verifying'; readonly percent: number }
  /** Its MD5 is right, and it is on its way. */
  | { readonly state: 'loading'; readonly stage: Stage; readonly percent: number }
  | ({ readonly state: 'serving' } & InService);

/** A file with the MD5 that it should have, not yet verified. */
export interface Offer {
  /** What messages, records and events call it. */
  readonly name: string;
  /** Where it is on a local disk. It is renamed into a slot where that can be done, else copied. */
  readonly path: string;
  /** The file as it was seen: another one at its path is not loaded. */
  readonly identity: FileIdentity;
  /** 32 lower-case hexadecimal digits. */
  readonly md5: string;
  /** Guards that would refuse it are overridden. */
  readonly force: boolean;
  /**
   * It is reached by a link, or has a second name: whoever put it there may not be allowed to read it.
   * What it holds is shown to nobody before it serves.
   */
  readonly isLinked: boolean;
  /** Called as often as there is news; nobody waits for what it does. */
  notify(news: OfferNews): void;
  /**
   * A slot holds its content: removes what is left of it. A crash may come before this.
   *
   * @returns undefined: it is gone; else what distinguishes it from a later one, for `isLeft`.
   */
  remove(): Promise<string | undefined>;
  /** Whether `remove` returned this for this offer, maybe in an earlier process. */
  isLeft(text: string): Promise<boolean>;
  /**
   * It must not be loaded: puts it where it is not offered any more.
   *
   * @returns What was done with it, for the log; undefined: another one has taken its place.
   */
  reject(why: Reason): Promise<string | undefined>;
}

/** What an offer came to. */
export type Verdict =
  /** Its content is in a slot, and it is not offered again. */
  | { readonly kind: 'taken' }
  /** It is bad, or a guard refused it: it is not offered again until something changes. */
  | { readonly kind: 'rejected' }
  /** It has another MD5, or changed while it was read: it may be whole later. */
  | Extract<LoadResult, { readonly kind: 'mismatch' | 'changed' }>;

/** Who takes offers: the loader. */
export interface Receiver {
  /**
   * Takes an offer into service, or rejects it.
   *
   * @param signal Aborts the load.
   * @throws What says nothing about the file, such as a full disk: the offer is worth another try.
   */
  load(offer: Offer, signal: AbortSignal): Promise<Verdict>;
  /** Something is there that is not offered now. May be called again with the same. */
  noteWait(why: Pick<WaitingDrop, 'code' | 'text'>): void;
  /** Nothing is there to be offered. */
  noteAbsence(): void;
}

/** Brings offers, one after the other. */
export interface Source {
  /** What ends a lack of data, for messages: "/drop/data.json and its .md5 are dropped". */
  readonly wanted: string;
  /** Whether something is there that can be offered. */
  hasNext(): Promise<boolean>;
  /**
   * Mends what a crash may have left behind, before `start`.
   *
   * @param now The serving generation of an earlier process; undefined: none.
   */
  resume(now: InService | undefined): Promise<void>;
  start(receiver: Receiver): void;
  /** Looks for something to offer now, also for what was rejected. */
  look(): void;
  /** @param withdrawn The record of the generation that a rollback has taken out of service. */
  rolledBack(now: InService, withdrawn: SlotRecord | undefined): Promise<void>;
  /**
   * Aborts a load under way, and resolves when that is over and all is reported. Safe to call twice.
   */
  close(): Promise<void>;
}
