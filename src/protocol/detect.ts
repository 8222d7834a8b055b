import { binaryProtocol } from './binary/binary.ts';
import { REQUEST_MAGIC } from './binary/packet.ts';
import { memcachedProtocol } from './memcached/memcached.ts';
import type { Protocol, Session, SessionContext, SessionState } from './protocol.ts';
import type { Reply } from './reply.ts';
import { isRespStart, respProtocol } from './resp/resp.ts';

/** A protocol, and how to tell that a client speaks it. */
export interface ProtocolChoice {
  readonly protocol: Protocol;
  /** Whether the first byte that a client sends begins a request of this protocol. */
  matches(firstByte: number): boolean;
}

/** Waits for the first byte, and leaves everything to the session that it calls for. */
class DetectingSession implements Session {
  readonly #choose: (firstByte: number) => Session;
  #session: Session | undefined;
  #isClosed = false;

  constructor(choose: (firstByte: number) => Session) {
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

  receive(input: Buffer, start: number, end: number, reply: Reply): number {
    if (this.#session === undefined) {
      if (start === end) return 0;
      this.#session = this.#choose(input[start]);
    }
    return this.#session.receive(input, start, end, reply);
  }

  close(): void {
    this.#isClosed = true;
    this.#session?.close();
  }
}

/**
 * Several protocols on one port: the first byte of a connection decides which one it speaks, for
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
  const choose = (firstByte: number, context: SessionContext): Session => {
    const choice = choices.find(({ matches }) => matches(firstByte));
    return (choice?.protocol ?? otherwise).createSession(context);
  };
  return {
    name,
    hasLogin: [...choices.map(({ protocol }) => protocol), otherwise].every(
      (protocol) => protocol.hasLogin === true,
    ),
    createSession: (context) => new DetectingSession((firstByte) => choose(firstByte, context)),
  };
}

/**
 * Both of memcached's protocols, told apart as memcached does it, and Redis' for clients that send
 * arrays: no command of memcached begins with `*`.
 */
export const detectingProtocol: Protocol = autoProtocol(
  'memcached',
  [
    { protocol: binaryProtocol, matches: (firstByte) => firstByte === REQUEST_MAGIC },
    { protocol: respProtocol, matches: isRespStart },
  ],
  memcachedProtocol,
);
