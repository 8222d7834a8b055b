/**
 * What belongs in this folder: the drop folder as a source: receipts, quarantine, what becomes of a
 * dropped file.
 */
import { basename } from 'node:path';
import { see } from '../../common/file-identity.ts';
import type { Logger } from '../../common/log.ts';
import type { Drop } from '../../watcher/drop.ts';
import type { WaitReason } from '../../watcher/wait-reasons.ts';
import { startWatcher, type Watcher } from '../../watcher/watcher.ts';
import type { InService, Offer, Receiver, Source } from '../generations/source.ts';
import type { SlotRecord } from '../slots/slots.ts';
import { dropOffer, removeSumOf } from './drop-offer.ts';
import { Receipts } from './receipt.ts';
import { correctReceipt, correctRejection } from './receipt-correction.ts';

export interface DropFolderOptions {
  /** Absolute path that files are dropped at; the sum file of one is beside it as `<file>.md5`. */
  readonly file: string;
  /** Looks this often in place of waiting for events; 0: waits for events. */
  readonly pollIntervalMs?: number | undefined;
  /** Looks this often beside the events. */
  readonly rescanMs?: number | undefined;
  readonly logger: Logger;
}

/** Offers what producers drop at a path, and says in a receipt what became of it. */
export class DropFolder implements Source {
  readonly wanted: string;
  readonly #options: DropFolderOptions;
  readonly #sumFile: string;
  readonly #receipts: Receipts;
  #watcher: Watcher | undefined;

  constructor(options: DropFolderOptions) {
    const { file, logger } = options;
    this.#options = options;
    this.#sumFile = `${file}.md5`;
    this.wanted = `${file} and its .md5 are dropped`;
    this.#receipts = new Receipts(logger);
  }

  async hasNext(): Promise<boolean> {
    const found = await Promise.all([see(this.#options.file), see(this.#sumFile)]);
    return found.every(({ kind }) => kind === 'file');
  }

  async resume(now: InService | undefined): Promise<void> {
    const { file } = this.#options;
    await correctRejection(this.#receipts, file);
    if (now === undefined) return;
    await this.#removeLeftSum(now.record.md5);
    await correctReceipt(this.#receipts, file, now);
  }

  start(receiver: Receiver): void {
    const { file, pollIntervalMs = 0, rescanMs, logger } = this.#options;
    this.#watcher = startWatcher({
      file,
      onDrop: (drop, signal) => receiver.load(this.offerOf(drop), signal),
      onWait: (reason) => {
        receiver.noteWait(reason);
        this.noteWait(reason);
      },
      onAbsent: () => receiver.noteAbsence(),
      logger,
      polling: pollIntervalMs > 0,
      ...(pollIntervalMs > 0 && { pollMs: pollIntervalMs }),
      ...(rescanMs && { rescanMs }),
    });
  }

  look(): void {
    this.#watcher?.look();
  }

  async rolledBack(now: InService, withdrawn: SlotRecord | undefined): Promise<void> {
    await correctReceipt(this.#receipts, this.#options.file, now, withdrawn);
  }

  async close(): Promise<void> {
    await this.#watcher?.close();
    await this.#receipts.flush();
  }

  /** What the loader is offered when the watcher has found a drop. */
  offerOf(drop: Drop): Offer {
    return dropOffer(drop, this.#receipts, this.#options.logger);
  }

  /** Writes in the receipt of the file why it is not offered now. */
  noteWait({ code, text: reason, md5 }: WaitReason): void {
    const { file } = this.#options;
    const subject = md5 === undefined ? { file } : { file, md5 };
    this.#receipts.say(subject, { state: 'waiting', code, reason });
  }

  /** A crash may come after the file was moved and before its sum file was removed. */
  async #removeLeftSum(md5: string): Promise<void> {
    const { file } = this.#options;
    // With a file beside it the sum file belongs to a new drop, even if it is of the same content.
    if ((await see(file)).kind !== 'absent') return;
    await removeSumOf(this.#sumFile, md5, basename(file)).catch(() => {});
  }
}
