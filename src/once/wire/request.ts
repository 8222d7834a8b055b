/**
 * What belongs in this folder: the same keys for clients of memcached and Redis. What creates is
 * answered here; all else goes to the sessions of src/protocol, which stop for keys that etcd is asked for.
 */
import type { Creation, Wish } from '../once.ts';

/** What the input begins with. */
export type Request =
  /** More input decides; `needed`: it has at least so many bytes. */
  | { readonly kind: 'partial'; readonly needed?: number }
  /** The session answers it. Its end may be yet to come; `logsOut`: it forgets the login. */
  | { readonly kind: 'session'; readonly bytes: number; readonly logsOut?: boolean }
  /** A creation, all of which is there. */
  | {
      readonly kind: 'create';
      readonly bytes: number;
      readonly wish: Wish;
      answer(creation: Creation): Buffer | string;
    }
  /** It is answered without asking anybody. */
  | {
      readonly kind: 'say';
      readonly bytes: number;
      readonly text: Buffer | string;
      readonly closes?: true;
    };

export const PARTIAL: Request = { kind: 'partial' };

/** Finds the requests of one connection, one after the other. */
export interface RequestFinder {
  /** @param input What is not done with; never empty. */
  next(input: Buffer): Request;
  /**
   * Finds quickly what needs no look here.
   *
   * @returns The end of the requests that input[start, end) begins with, are all there, and only read.
   */
  readsEnd(input: Buffer, start: number, end: number): number;
}

/** Why a creation has come to nothing, for protocols that have no words of their own. */
export function troubleOf(creation: Creation): string {
  const why = 'why' in creation ? creation.why.replaceAll(/[\r\n]+/g, ' ') : '';
  if (creation.kind === 'unknown') return `the outcome is unknown, try again: ${why}`;
  if (creation.kind === 'full') return `etcd is full: ${why}`;
  return 'isForeign' in creation ? why : `etcd cannot be reached: ${why}`;
}
