import type { Complaint } from './complaints.ts';

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
