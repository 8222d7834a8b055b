import { messageOf } from '../../common/errors.ts';
import { readAtMost, replaceFile } from '../../common/files.ts';
import type { Logger } from '../../common/log.ts';
import { areWarnings } from '../../common/notices.ts';
import type { GenerationStatus } from '../../common/status.ts';
import type { OfferNews, Reason } from '../generations/source.ts';
import { generationOf } from '../slots/slots.ts';
import type { Seconds } from '../worker/progress.ts';

/** More than the longest receipt takes. */
const RECEIPT_BYTES_MAX = 256 * 1024;

/** Where the receipt of a dropped file is. */
export function receiptPath(file: string): string {
  return `${file}.status.json`;
}

/** What became of a dropped file so far. */
export type Outcome =
  | Exclude<OfferNews, { state: 'serving' }>
  | ({
      readonly state: 'serving';
      readonly seconds: Seconds;
    } & Pick<GenerationStatus, 'generation' | 'keys' | 'format' | 'slot' | 'warnings'>)
  | ({
      readonly state: 'rejected';
      /** Where the file is now; undefined when it could not be moved. */
      readonly quarantined: string | undefined;
    } & Reason)
  /** It was served, and somebody has rolled back to the generation before. */
  | { readonly state: 'rolled-back'; readonly generation: number; readonly reason: string };

/** What a receipt says of the news of an offer. */
export function outcomeOf(news: OfferNews): Outcome {
  if (news.state !== 'serving') return news;
  const { state, slot, record, seconds } = news;
  const { generation, keys, format, warnings } = generationOf(slot, record);
  return { state, generation, keys, format, slot, seconds, ...(warnings && { warnings }) };
}

/** The file that a receipt is about. */
export interface Subject {
  /** Absolute path that it was dropped at. */
  readonly file: string;
  /** The MD5 in its sum file, where that is known. */
  readonly md5?: string;
  readonly bytes?: number;
  /** Whether MD5 and size must not be shown before the file serves: see `Drop.isLinked`. */
  readonly isLinked?: boolean;
}

/** What a receipt says. */
export type Receipt = Omit<Subject, 'isLinked'> & Outcome & { readonly at: string };

/**
 * Writes beside a dropped file what becomes of it. Only the newest state counts: what could not be
 * written yet when there is news is never written. Nobody waits for it, and that it cannot be
 * written hurts nothing: it is warned of once.
 */
export class Receipts {
  readonly #logger: Logger;
  #next: { readonly path: string; readonly receipt: Receipt } | undefined;
  #writing: Promise<void> | undefined;
  /** The last state, without the time. */
  #last = '';
  #isWarned = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  say(subject: Subject, outcome: Outcome): void {
    const { file, md5, bytes, isLinked = false } = subject;
    const isSecret = isLinked && outcome.state !== 'serving';
    const said = {
      file,
      ...(md5 === undefined || isSecret ? {} : { md5 }),
      ...(bytes === undefined || isSecret ? {} : { bytes }),
      ...outcome,
    };
    const last = JSON.stringify(said);
    if (last === this.#last) return;
    this.#last = last;
    const receipt = { ...said, at: new Date().toISOString() } as Receipt;
    this.#next = { path: receiptPath(file), receipt };
    this.#writing ??= this.#write();
  }

  /** Resolves when the last state is written, or could not be. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    for (let next = this.#next; next !== undefined; next = this.#next) {
      this.#next = undefined;
      try {
        await replaceFile(next.path, `${JSON.stringify(next.receipt, undefined, 2)}\n`);
        this.#isWarned = false;
      } catch (error) {
        if (!this.#isWarned) {
          this.#logger.warn(
            `the receipt ${next.path} cannot be written (${messageOf(error)}): producers do not ` +
              'see the outcome of their file there; loading continues without it',
            { event: 'receipt-failed', path: next.path },
          );
        }
        this.#isWarned = true;
      }
    }
    this.#writing = undefined;
  }
}

/** The receipt of a dropped file; undefined when there is none that can be read. */
export async function readReceipt(file: string): Promise<Receipt | undefined> {
  try {
    const bytes = await readAtMost(receiptPath(file), RECEIPT_BYTES_MAX);
    const receipt: unknown = JSON.parse(bytes.toString('utf8'));
    return isReceipt(receipt) ? receipt : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it has what its state needs: anybody who may write to the drop folder can write one. */
function isReceipt(value: unknown): value is Receipt {
  if (typeof value !== 'object' || value === null) return false;
  const { state, ...rest } = value as Record<string, unknown>;
  const areTexts = (...texts: unknown[]): boolean => texts.every((one) => typeof one === 'string');
  switch (state) {
    case 'waiting':
    case 'rejected':
      return areTexts(rest.code, rest.reason);
    case 'verifying':
      return isPercent(rest.percent);
    case 'loading':
      return isPercent(rest.percent) && areTexts(rest.stage);
    case 'serving':
      return (
        [rest.generation, rest.keys].every(isCount) &&
        areSeconds(rest.seconds) &&
        areWarnings(rest.warnings)
      );
    case 'rolled-back':
      return isCount(rest.generation) && areTexts(rest.reason);
    default:
      return false;
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPercent(value: unknown): boolean {
  return isCount(value) && (value as number) <= 100;
}

function areSeconds(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every((seconds) => typeof seconds === 'number');
}
