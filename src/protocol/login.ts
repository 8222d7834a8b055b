import { LineFinder, wordsOf } from './line.ts';
import type { Authenticate, Protocol, Session, SessionContext, SessionState } from './protocol.ts';
import type { Reply } from './reply.ts';

/** Name and password may have this many bytes together, as may a line before the login. */
const LOGIN_BYTES_MAX = 1024;

/** Logins that fail on one connection; then it is closed, in every protocol. */
export const LOGIN_FAILURES_MAX = 5;

/** What it costs to compare a name and a password, in units of work (see reply.ts). */
export const LOGIN_WORK = 20;

/** The same of reading a line. */
const LINE_WORK = 2;

const UNAUTHENTICATED = 'CLIENT_ERROR unauthenticated\r\n';
const FAILURE = 'CLIENT_ERROR authentication failure\r\n';

/**
 * A conversation that lets a client in only after it has said who it is, in the way of memcached's
 * ASCII authentication: `set <any> 0 0 <bytes>\r\n<user> <password>\r\n`, answered `STORED`. Every
 * other line before, even `quit`, is `CLIENT_ERROR unauthenticated` (memcached protocol.txt,
 * "Authentication"). A client that begins in another protocol is disconnected, and one that guesses after
 * a few failures.
 */
class LoginSession implements Session {
  readonly #createSession: () => Session;
  readonly #context: SessionContext;
  readonly #authenticate: Authenticate;
  readonly #line = new LineFinder();
  #state: SessionState = 'open';
  /** Bytes of the name and password that a `set` has announced. */
  #loginBytes: number | undefined;
  #session: Session | undefined;
  #failures = 0;

  constructor(context: SessionContext, authenticate: Authenticate, createSession: () => Session) {
    this.#context = context;
    this.#authenticate = authenticate;
    this.#createSession = createSession;
  }

  get state(): SessionState {
    return this.#session?.state ?? this.#state;
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
    let at = start;
    while (this.#session === undefined && this.#state === 'open' && at < end && !reply.isFull) {
      const next =
        this.#loginBytes === undefined
          ? this.#readLine(input, at, end, reply)
          : this.#readLogin(this.#loginBytes, input, at, end, reply);
      if (next === at) return at - start;
      at = next;
    }
    const isIdle = at === end && !this.hasNews;
    if (this.#session === undefined || isIdle || reply.isFull) return at - start;
    return at - start + this.#session.receive(input, at, end, reply);
  }

  close(): void {
    this.#session?.close();
  }

  /** @returns The offset behind the line, or `start` when it is not whole yet. */
  #readLine(input: Buffer, start: number, end: number, reply: Reply): number {
    const line = this.#line;
    reply.charge(LINE_WORK);
    const isWhole = line.find(input, start, end);
    // No line of text begins so, only the binary protocol's packets and Redis' arrays.
    if (input[start] === 0x80 || input[start] === 0x2a) this.#state = 'reset';
    else if ((isWhole ? line.next - 1 : end) - start > LOGIN_BYTES_MAX) this.#state = 'close';
    else if (isWhole) this.#runLine(wordsOf(input, start, line.textEnd), reply);
    else return start;
    return line.next;
  }

  #runLine(words: readonly string[], reply: Reply): void {
    const bytes = Number(words[4]);
    const isLogin = words[0] === 'set' && words.length === 5 && Number.isSafeInteger(bytes);
    if (isHttpLine(words)) this.#state = 'close';
    else if (!isLogin || bytes < 0) reply.text(UNAUTHENTICATED);
    else if (bytes <= LOGIN_BYTES_MAX) this.#loginBytes = bytes;
    else {
      this.#fail(reply);
      this.#state = 'close';
    }
  }

  #readLogin(bytes: number, input: Buffer, start: number, end: number, reply: Reply): number {
    if (end - start < bytes + 2) return start;
    this.#loginBytes = undefined;
    const text = input.toString('utf8', start, start + bytes);
    reply.charge(LOGIN_WORK);
    const isEnded = input[start + bytes] === 0x0d && input[start + bytes + 1] === 0x0a;
    const space = text.indexOf(' ');
    const isKnown = this.#authenticate(text.slice(0, space), text.slice(space + 1));
    if (isEnded && space > 0 && isKnown) {
      this.#context.counters.auth_cmds++;
      reply.text('STORED\r\n');
      this.#session = this.#createSession();
    } else {
      this.#fail(reply);
    }
    return start + bytes + 2;
  }

  #fail(reply: Reply): void {
    const { counters, onFailedLogin } = this.#context;
    counters.auth_cmds++;
    counters.auth_errors++;
    onFailedLogin?.();
    reply.text(FAILURE);
    this.#failures++;
    if (this.#failures === LOGIN_FAILURES_MAX) this.#state = 'close';
  }
}

/**
 * Whether a line is the first of an HTTP request. A web page can have a browser send one, and its body
 * may hold a login and commands.
 */
function isHttpLine(words: readonly string[]): boolean {
  return words.at(-1)?.startsWith('HTTP/') === true;
}

/**
 * A conversation as it is when clients need not log in, or with a login before it when they must.
 *
 * @param createSession Makes what the client talks to when it is in.
 */
export function createLoginSession(context: SessionContext, createSession: () => Session): Session {
  const { authenticate } = context;
  if (authenticate === undefined) return createSession();
  return new LoginSession(context, authenticate, createSession);
}

/** A protocol as it is when it lets nobody in without a login, or else with one before it. */
export function withLogin(protocol: Protocol): Protocol {
  if (protocol.hasLogin === true) return protocol;
  return {
    name: protocol.name,
    hasLogin: true,
    createSession: (context) => createLoginSession(context, () => protocol.createSession(context)),
  };
}
