import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { identityOf, sameContent } from '../../common/file-identity.ts';
import { type Receipt, readReceipt, receiptPath } from '../../loader/drops/receipt.ts';
import { type Dropped, keepSum } from './drop-file.ts';

/** How often the receipt is looked at. */
const POLL_MS = 100;

type ReceiptOf<State extends Receipt['state']> = Extract<Receipt, { state: State }>;

/** How the publishing of a file has ended. */
export type Conclusion =
  | { readonly end: 'serving'; readonly receipt: ReceiptOf<'serving'> }
  | { readonly end: 'rejected' | 'timeout' | 'superseded'; readonly reason: string };

/** A file that was dropped, and what there was before. */
export interface Following {
  readonly file: string;
  readonly dropped: Dropped;
  /** The receipt before it was dropped. */
  readonly before: Receipt | undefined;
  readonly timeoutMs: number;
  /** Called with how far the server is with it, in percent of a stage. */
  readonly onProgress: (percent: number, what: string) => void;
}

/**
 * Waits until the server says in its receipt what became of a dropped file. If its sum file was replaced
 * by another publisher, it is written again.
 */
export async function followDrop(following: Following): Promise<Conclusion> {
  const { file, dropped, before, timeoutMs, onProgress } = following;
  const endMs = performance.now() + timeoutMs;
  let last: Receipt | undefined;
  for (;;) {
    const receipt = await readReceipt(file);
    const isNew = receipt !== undefined && JSON.stringify(receipt) !== JSON.stringify(before);
    if (isNew && receipt.md5 === dropped.md5) {
      last = receipt;
      const conclusion = concludedBy(receipt, onProgress);
      if (conclusion !== undefined) return conclusion;
    } else if (await isReplaced(file, dropped, isNew)) {
      const reason = `another file took the place of ${file} before it served`;
      return { end: 'superseded', reason };
    } else {
      // If it fails, the next round tries again.
      await keepSum(file, dropped).catch(() => {});
    }
    if (performance.now() >= endMs) {
      return { end: 'timeout', reason: lateness(file, last, timeoutMs) };
    }
    await delay(POLL_MS);
  }
}

/** @returns undefined when the receipt is not final. */
function concludedBy(
  receipt: Receipt,
  onProgress: Following['onProgress'],
): Conclusion | undefined {
  switch (receipt.state) {
    case 'serving':
      return { end: 'serving', receipt };
    case 'rejected':
      return { end: 'rejected', reason: `rejected: ${receipt.reason} (${receipt.code})` };
    case 'verifying':
      onProgress(receipt.percent, 'verifying');
      return undefined;
    case 'loading':
      onProgress(receipt.percent, `loading: ${receipt.stage}`);
      return undefined;
    case 'waiting':
      onProgress(0, `waiting: ${receipt.reason}`);
      return undefined;
    case 'rolled-back':
      return { end: 'superseded', reason: receipt.reason };
  }
}

/** Another file is there, or was there and has a receipt of its own. */
async function isReplaced(file: string, dropped: Dropped, isOther: boolean): Promise<boolean> {
  const there = await stat(file, { bigint: true }).catch(() => undefined);
  return there === undefined ? isOther : !sameContent(identityOf(there), dropped.identity);
}

function lateness(file: string, last: Receipt | undefined, timeoutMs: number): string {
  const within = `within ${timeoutMs / 1000} s; the drop stays`;
  if (last === undefined) {
    return (
      `nobody has written ${receiptPath(file)} ${within}: check that a goromdb runs with ` +
      `-file ${file}, and that it may write there`
    );
  }
  const why = last.state === 'waiting' ? `: ${last.reason} (${last.code})` : '';
  return `${file} does not serve ${within}; its state is ${last.state}${why}`;
}
