import type { ViewSource } from './handler.ts';

/**
 * What a view throws when a key belongs to another shard, and its record is not here: always this
 * one object, so that nothing is allocated and no stack is recorded. What it says is valid until the
 * next lookup.
 */
class ForeignKey extends Error {
  /** Why nobody can say what the key's record is. Undefined: others are to be asked first. */
  fault: string | undefined;
}

export const FOREIGN_KEY: ForeignKey = new ForeignKey('a key of another shard');

/**
 * The data of all shards, as one connection sees it: the records that are here, and those that other
 * servers are asked for. A lookup of a record that is not here throws {@link FOREIGN_KEY}. Then the
 * session stops, the connection calls `ask`, and when it is called back the session runs the same
 * command again: now the answers are known.
 */
export interface ForeignKeys extends ViewSource {
  /** A lookup has failed for lack of an answer: `ask` is to be called, and nothing else. */
  readonly isWanted: boolean;
  /**
   * Set for one lookup by who looks at `isWanted` behind it: then nothing is thrown when others are to be
   * asked, as that takes a microsecond (2026-11-28).
   */
  isLookedAt: boolean;
  /** Memory that questions and answers take, without `valueBytes`. */
  readonly heldBytes: number;
  /** The same of large values, until the client has read them. One of them may have any length. */
  readonly valueBytes?: number;
  /**
   * Has the key in key[start, end) asked for together with others, as a lookup of it is near. Keys of
   * this server are left out. Only a hint: what was not expected is asked for when it is looked up.
   *
   * @returns Whether there is room for more.
   */
  expect(key: Buffer, start: number, end: number): boolean;
  /**
   * A command wants to know all of its keys before it begins, or as many as there is room for. Call it
   * between two calls of `expect` for each of them, in order.
   */
  beginToExpect(): void;
  /** @throws FOREIGN_KEY: one of them is to be asked for, or nobody can say what its record is. */
  endToExpect(): void;
  /** Asks. @param onReady Called when each key has its answer or its fault, in a later turn. */
  ask(onReady: () => void): void;
  /** All that was asked is answered: frees what was known for it. */
  forget(): void;
  /** Other data is here: frees what belongs to the data before. */
  noteSwap(): void;
  /** The connection is gone. */
  close(): void;
}
