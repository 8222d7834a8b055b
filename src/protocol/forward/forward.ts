/** What belongs in this folder: how servers of one cluster ask each other for keys. */
import type { Protocol } from '../protocol.ts';
import { HELLO_FIRST_BYTE } from './frames.ts';
import { ForwardSession, type OwnPart } from './session.ts';

export function forwardProtocol(place: OwnPart): Protocol {
  return {
    name: 'forward',
    hasLogin: true,
    createSession: (context) => new ForwardSession(context, place),
  };
}

/** Whether a connection begins so. */
export function isForwardStart(input: Buffer, start: number): boolean {
  return input[start] === HELLO_FIRST_BYTE;
}
