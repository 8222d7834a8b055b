/** What belongs in this folder: chooses the protocol of a connection by its first bytes. */
import { binaryProtocol } from '../binary/binary.ts';
import { REQUEST_MAGIC } from '../binary/packet.ts';
import { memcachedProtocol } from '../memcached/memcached.ts';
import type { Protocol, Session, SessionContext, SessionState } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import { isRespStart, respProtocol } from '../resp/resp.ts';

/** A protocol, and how to recognise a client that speaks it. */
export interface ProtocolChoice {
  readonly protocol: Protocol;
  /**
   * Whether what a client sends first, input[start, end) of a byte or more, begins a request of this
   * protocol; undefined: more of it decides.
   */
  matches(input: Buffer, start: number, end: number): boolean | undefined;
}

/** Waits for the first bytes, and leaves everything to the session that they call for. */
class DetectingSession implements Session {
  readonly #choose: Choose;
  #session: Session | undefined;
  #isClosed = false;

  constructor(choose: Choose) {
    this.#choose = choose;
  }

  get state(): SessionState {
    if (this.#session !== undefined) return this.#session.state;
    return this.#isClosed ? 'close' : 'open';
  }

  get isSuspended(): boolean {
    return this.#session?.isSuspended === true;
  }

  get heldBytes(): number {
    return this.#session?.heldBytes ?? 0;
  }

  get hasNews(): boolean {
    return this.#session?.hasNews === true;
  }

  noteSwap(): void {
    this.#session?.noteSwap?.();
  }

  noteSwapEverywhere(): void {
    this.#session?.noteSwapEverywhere?.();
  }

  receive(input: Buffer, start: number, end: number, reply: Reply): number {
    if (this.#session === undefined) {
      this.#session = start === end ? undefined : this.#choose(input, start, end);
      if (this.#session === undefined) return 0;
    }
    return this.#session.receive(input, start, end, reply);
  }

  close(): void {
    this.#isClosed = true;
    this.#session?.close();
  }
}

/** @returns undefined when more input decides which it is. */
type Choose = (input: Buffer, start: number, end: number) => Session | undefined;

/**
 * Several protocols on one port: the first bytes of a connection decide which one it speaks, for
 * good.
 *
 * @param choices Are asked in this order.
 * @param otherwise What a client speaks that none of them knows.
 */
export function autoProtocol(
  name: string,
  choices: readonly ProtocolChoice[],
  otherwise: Protocol,
): Protocol {
  const chooseWith = (context: SessionContext): Choose => {
    return (input, start, end) => {
      for (const { matches, protocol } of choices) {
        const isIt = matches(input, start, end);
        if (isIt === undefined) return undefined;
        if (isIt) return protocol.createSession(context);
      }
      return otherwise.createSession(context);
    };
  };
  return {
    name,
    hasLogin: [...choices.map(({ protocol }) => protocol), otherwise].every(
      (protocol) => protocol.hasLogin === true,
    ),
    createSession: (context) => new DetectingSession(chooseWith(context)),
  };
}

/**
 * Both of memcached's protocols, distinguished as memcached does it, and Redis' for clients that
 * send arrays, or a line PING: no command of memcached begins with `*`, and none is called that.
 */
export const detectingProtocol: Protocol = autoProtocol(
  'memcached',
  [
    { protocol: binaryProtocol, matches: (input, start) => input[start] === REQUEST_MAGIC },
    { protocol: respProtocol, matches: isRespStart },
  ],
  memcachedProtocol,
);

/** The built-in protocols, by their name on the command line. */
export const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  memcached: detectingProtocol,
  text: memcachedProtocol,
  binary: binaryProtocol,
  redis: respProtocol,
};
