import { binaryProtocol } from '../../protocol/binary/binary.ts';
import { REQUEST_MAGIC } from '../../protocol/binary/packet.ts';
import { autoProtocol, type ProtocolChoice } from '../../protocol/detect/detect.ts';
import { memcachedProtocol } from '../../protocol/memcached/memcached.ts';
import type { Protocol, Session, SessionContext, SessionState } from '../../protocol/protocol.ts';
import type { Reply } from '../../protocol/reply.ts';
import { isRespStart, respProtocol } from '../../protocol/resp/resp.ts';
import { AskedKeys } from './asked-keys.ts';
import { binaryRequests } from './binary.ts';
import { Login, STRANGER_BYTES_MAX } from './login.ts';
import type { Request, RequestFinder } from './request.ts';
import { respRequests } from './resp.ts';
import { textRequests } from './text.ts';

/** Units of work that a creation counts for, and any other request that is answered here. */
const CREATION_WORK = 10;
const REQUEST_WORK = 2;

/** Creates keys, and leaves what reads to a session of the data plane. */
class OnceSession implements Session {
  readonly #inner: Session;
  readonly #requests: RequestFinder;
  readonly #keys: AskedKeys;
  readonly #login: Login;
  /** Bytes of a request that is known to be there, and whether the inner session reads them. */
  #left = 0;
  #isForInner = false;
  /** Bytes of input without which there is nothing to do. */
  #needed = 0;
  /** What is to be said of the creation in front, and how long its request is. */
  #said: Buffer | undefined;
  #creationBytes = 0;
  /**
   * Bytes of input that were there when etcd was asked. What came later must not be answered from what
   * etcd has said: the key may have been created in between.
   */
  #horizon: number | undefined;
  #isOver = false;

  constructor(inner: Session, requests: RequestFinder, keys: AskedKeys, login: Login) {
    this.#inner = inner;
    this.#requests = requests;
    this.#keys = keys;
    this.#login = login;
  }

  get state(): SessionState {
    return this.#isOver && this.#inner.state === 'open' ? 'close' : this.#inner.state;
  }

  get isSuspended(): boolean {
    return this.#inner.isSuspended === true;
  }

  get heldBytes(): number {
    return this.#inner.heldBytes ?? 0;
  }

  receive(input: Buffer, start: number, end: number, reply: Reply): number {
    let at = start;
    for (;;) {
      const until = this.#horizon === undefined ? end : Math.min(end, at + this.#horizon);
      at = this.#answer(input, at, until, reply);
      if (this.#keys.isWanted) {
        this.#horizon = until - at;
        break;
      }
      if (this.#horizon === undefined) break;
      if (reply.isFull) {
        this.#horizon = until - at;
        break;
      }
      this.#horizon = undefined;
      this.#keys.forget();
    }
    return at - start;
  }

  close(): void {
    this.#inner.close();
  }

  /** @returns Where the input begins that is not done with. */
  #answer(input: Buffer, start: number, end: number, reply: Reply): number {
    let at = start;
    while (at < end && this.state === 'open' && !reply.isFull) {
      if (this.#left === 0 && !this.#login.isStranger) {
        this.#left = this.#requests.readsEnd(input, at, end) - at;
        this.#isForInner = true;
      }
      if (this.#left > 0) {
        const used = this.#take(input, at, end, reply);
        at += used;
        if (used === 0 || this.#keys.isWanted) break;
        continue;
      }
      const bytes = this.#begin(input, at, end, reply);
      if (bytes < 0) break;
      at += bytes;
    }
    return at;
  }

  /** Reads on in a request, or passes over it. @returns How many bytes of it are done with. */
  #take(input: Buffer, at: number, end: number, reply: Reply): number {
    const stop = Math.min(end, at + this.#left);
    const used = this.#isForInner ? this.#inner.receive(input, at, stop, reply) : stop - at;
    this.#left -= used;
    return used;
  }

  /** Leaves a request of a client that has to log in to the inner session, whatever it is. */
  #leave(request: Request, bytes: number): number {
    if (request.kind === 'partial') {
      this.#needed = request.needed ?? 0;
      this.#isOver = Math.max(this.#needed, bytes) > STRANGER_BYTES_MAX;
      return -1;
    }
    this.#left = request.bytes;
    this.#isForInner = true;
    return 0;
  }

  /** Begins with the next request. @returns How many bytes are done with; -1: it has to wait. */
  #begin(input: Buffer, at: number, end: number, reply: Reply): number {
    if (this.#said !== undefined) {
      reply.copy(this.#said, 0, this.#said.length);
      this.#said = undefined;
      return this.#creationBytes;
    }
    if (end - at < this.#needed) return -1;
    this.#needed = 0;
    const request = this.#requests.next(input.subarray(at, end));
    if (this.#login.isStranger) return this.#leave(request, end - at);
    switch (request.kind) {
      case 'partial':
        this.#needed = request.needed ?? 0;
        return -1;
      case 'create':
        reply.charge(CREATION_WORK);
        this.#creationBytes = request.bytes;
        this.#keys.create(request.wish, (creation) => {
          this.#said = bytesOf(request.answer(creation));
        });
        return -1;
      case 'say': {
        reply.charge(REQUEST_WORK);
        const text = bytesOf(request.text);
        reply.copy(text, 0, text.length);
        this.#isOver = request.closes === true;
        break;
      }
      case 'session':
    }
    this.#left = request.bytes;
    this.#isForInner = request.kind === 'session';
    if (request.kind === 'session' && request.logsOut === true) this.#login.forget();
    return 0;
  }
}

function bytesOf(text: Buffer | string): Buffer {
  return typeof text === 'string' ? Buffer.from(text) : text;
}

function creating(protocol: Protocol, makeFinder: () => RequestFinder): Protocol {
  return {
    name: protocol.name,
    hasLogin: protocol.hasLogin === true,
    createSession(context: SessionContext) {
      const { foreign } = context;
      const login = new Login(context);
      if (!(foreign instanceof AskedKeys)) throw new TypeError('expected keys that can be created');
      const inner = protocol.createSession(login.context);
      return new OnceSession(inner, makeFinder(), foreign, login);
    },
  };
}

const CHOICES: readonly ProtocolChoice[] = [
  {
    protocol: creating(binaryProtocol, () => binaryRequests),
    matches: (input, start) => input[start] === REQUEST_MAGIC,
  },
  { protocol: creating(respProtocol, respRequests), matches: isRespStart },
];

/** What clients speak, recognised by their first bytes. */
export const onceProtocol: Protocol = autoProtocol(
  'memcached',
  CHOICES,
  creating(memcachedProtocol, textRequests),
);
