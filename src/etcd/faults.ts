/** What an error of the gateway says about the outcome. */
import type { Refusal } from './etcd.ts';

/** Status codes of gRPC with which etcd refuses before it does anything (its api/v3rpc/rpctypes). */
const REFUSALS: ReadonlyMap<number, Refusal> = new Map([
  [3, 'invalid'],
  [5, 'invalid'],
  [7, 'forbidden'],
  [9, 'invalid'],
  [11, 'compacted'],
  [12, 'invalid'],
  [16, 'forbidden'],
]);

const RESOURCE_EXHAUSTED = 8;

/** Characters of a message, which goes on to clients and into the log. */
const MESSAGE_CHARS_MAX = 500;

export interface Fault {
  /** Undefined: the outcome of a write is unknown. */
  readonly refusal: Refusal | undefined;
  readonly why: string;
  /** Whether the token of a login is not, or no longer, valid. */
  readonly isTokenBad: boolean;
}

/** @param text The body of an answer whose status is not 200. */
export function faultOf(status: number, text: string): Fault {
  const { code, message } = parsed(text);
  const why = message || `etcd answered with HTTP status ${status}`;
  const isTokenBad = /invalid auth token|user name is empty/.test(why);
  if (code === RESOURCE_EXHAUSTED) {
    const refusal = /space exceeded/.test(why) ? 'quota' : 'busy';
    return { refusal, why, isTokenBad };
  }
  return { refusal: code === undefined ? undefined : REFUSALS.get(code), why, isTokenBad };
}

function parsed(text: string): { readonly code: number | undefined; readonly message: string } {
  try {
    const { code, message, error } = JSON.parse(text) as Record<string, unknown>;
    return {
      code: typeof code === 'number' ? code : undefined,
      message: String(message ?? error ?? '').slice(0, MESSAGE_CHARS_MAX),
    };
  } catch {
    return { code: undefined, message: '' };
  }
}
