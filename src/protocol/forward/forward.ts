/** What belongs in this folder: how servers of one cluster ask each other for keys. */
import type { ViewSource } from '../../handler/handler.ts';
import type { Protocol } from '../protocol.ts';
import { HELLO_FIRST_BYTE } from './frames.ts';
import { ForwardSession } from './session.ts';

/** A server as one of several that have a part of the keys each. */
export interface OwnPart {
  /** The records that are here. */
  readonly local: ViewSource;
  /** Number of its shard. */
  readonly shard: number;
  /** Says which key belongs where: servers with another one are refused. 16 hexadecimal digits. */
  readonly epoch: string;
  /** Called when a server was refused. */
  readonly onRefused: (why: string) => void;
}

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
