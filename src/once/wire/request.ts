/**
 * What belongs in this folder: the same keys for clients of memcached and Redis. What creates is
 * answered here; all else goes to the sessions of src/protocol, once the keys that it names were read.
 */
import type { Creation, Wish } from '../once.ts';

/** What the input begins with. */
export type Request =
  /** More input decides; `needed`: it has at least so many bytes. */
  | { readonly kind: 'partial'; readonly needed?: number }
  /** The session answers it, from what these keys were set to. */
  | {
      readonly kind: 'session';
      /** How long it is; its end may be yet to come. */
      readonly bytes: number;
      readonly keys: readonly Buffer[];
      /** The answer when a key cannot be read now. */
      fault(why: string): Buffer | string;
    }
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
}

/** Why a creation has come to nothing, for protocols that have no words of their own. */
export function troubleOf(creation: Creation): string {
  const why = 'why' in creation ? creation.why.replaceAll(/[\r\n]+/g, ' ') : '';
  if (creation.kind === 'unknown') return `the outcome is unknown, try again: ${why}`;
  if (creation.kind === 'full') return `etcd is full: ${why}`;
  return `etcd cannot be reached: ${why}`;
}
