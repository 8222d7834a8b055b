/** What belongs in this folder: asks the servers of other shards for keys. */
import type { Questions } from './questions.ts';

/** Which shard keys belong to. */
export interface Shards {
  /** Number of this server's own. */
  readonly own: number;
  /** Whether other servers have it too: they are asked while there is no data here. */
  readonly isShared: boolean;
  shardOf(key: Buffer, start: number, end: number): number;
}

/** What asks the owners of shards. */
export interface Owners {
  /** Asks for all that has no answer yet, and sees to it that each gets one, or a fault, in a later turn. */
  ask(questions: Questions): void;
}
