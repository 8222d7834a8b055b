import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { messageOf } from '../common/errors.ts';
import type { TlsFiles } from '../server/access.ts';

/** Where a node is asked. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

/** A node, and the shard that it should have. */
export interface PeerNode extends PeerAddress {
  /** As it says it itself: see CLUSTER MYSHARDID. */
  readonly shardId: string;
}

/** What is noticed of a node. */
interface PeerEvents {
  readonly onChange: (answers: boolean, why: string) => void;
  readonly onOtherShard: () => void;
}

/** A node that has not answered this long, or cannot be connected to, does not answer. */
const ANSWER_MS_MAX = 1_000;

/** Behind a certificate that is not accepted there is a server. It is asked again this much later. */
const REFUSED_PAUSE_MS = 1_000;

/**
 * A connection that ends sooner was closed at once: by a server that has too many, as its answer may say, or
 * by what is in front of it. To connect again at once would be 1,700 connections a second (2026-11-29).
 */
const LIFE_MS_MIN = 100;

/** An answer is a line; a longer one is none. */
const ANSWER_CHARS_MAX = 512;

const PING = '*1\r\n$4\r\nPING\r\n';
const MYSHARDID = '*2\r\n$7\r\nCLUSTER\r\n$9\r\nMYSHARDID\r\n';

/** A server answers so that is ready; who has to log in, and has not, is answered with NOAUTH. */
const READY = /^(\+PONG|-NOAUTH )/;

/** One node, and whether it answers. Until the first answer, or the first failure, it counts as one that does. */
export class Peer {
  readonly #node: PeerNode;
  readonly #tls: TlsFiles | undefined;
  readonly #events: PeerEvents;
  #answers = true;
  #socket: net.Socket | undefined;
  #text = '';
  /** Whether its shard is awaited, and not the answer to a PING; and whether it was asked for. */
  #isShardAwaited = false;
  #isShardAsked = false;
  /** Whether this connection has brought an answer. */
  #hasAnswered = false;
  /** Since when an answer is awaited; undefined: none is. */
  #waitsSinceMs: number | undefined;
  #notBeforeMs = 0;
  #openedMs = 0;
  #isClosed = false;

  constructor(node: PeerNode, tlsFiles: TlsFiles | undefined, events: PeerEvents) {
    this.#node = node;
    this.#tls = tlsFiles;
    this.#events = events;
  }

  /** Asks, unless an answer is awaited; one that is awaited too long will not come. */
  ask(nowMs: number): void {
    if (this.#isClosed) return;
    if (this.#waitsSinceMs !== undefined) {
      if (nowMs - this.#waitsSinceMs < ANSWER_MS_MAX) return;
      this.#drop();
      this.#note(false, `no answer within ${ANSWER_MS_MAX / 1000} s`);
    }
    if (nowMs < this.#notBeforeMs) return;
    this.#waitsSinceMs = nowMs;
    if (this.#socket === undefined) this.#connect();
    else this.#socket.write(PING);
  }

  /** This process was held up: what is awaited has its time anew. */
  excuse(nowMs: number): void {
    if (this.#waitsSinceMs !== undefined) this.#waitsSinceMs = nowMs;
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  #drop(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#waitsSinceMs = undefined;
  }

  #connect(): void {
    let socket: net.Socket;
    try {
      socket = this.#open();
    } catch (error) {
      // Its own certificate cannot be read: that says nothing of the other.
      this.#waitsSinceMs = undefined;
      this.#note(true, messageOf(error));
      return;
    }
    this.#socket = socket;
    this.#text = '';
    this.#isShardAwaited = false;
    this.#isShardAsked = false;
    this.#hasAnswered = false;
    this.#openedMs = performance.now();
    let fault: NodeJS.ErrnoException | undefined;
    socket.setEncoding('latin1').setNoDelay(true).unref();
    socket.write(PING);
    socket.on('data', (text) => this.#read(socket, String(text)));
    socket.on('error', (error) => {
      fault = error;
    });
    socket.on('close', () => this.#lose(socket, fault));
  }

  /** Who answers is not checked: nothing secret is sent, and believed but that somebody is there. */
  #open(): net.Socket {
    const { host, port } = this.#node;
    if (this.#tls === undefined) return net.connect({ host, port });
    const { certFile, keyFile } = this.#tls;
    return tls.connect({
      ...{ host, port, rejectUnauthorized: false },
      ...{ cert: readFileSync(certFile), key: readFileSync(keyFile) },
    });
  }

  #read(socket: net.Socket, text: string): void {
    if (socket !== this.#socket) return;
    this.#text = (this.#text + text).slice(0, ANSWER_CHARS_MAX);
    for (let end = this.#lineEnd(); end !== -1; end = this.#lineEnd()) {
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 2);
      if (!this.#isShardAwaited) this.#noteAnswer(line);
      // The line before has its length.
      else if (!line.startsWith('$')) this.#noteShard(line);
    }
  }

  #lineEnd(): number {
    const end = this.#text.indexOf('\r\n');
    return end === -1 && this.#text.length === ANSWER_CHARS_MAX ? ANSWER_CHARS_MAX : end;
  }

  #noteAnswer(line: string): void {
    this.#hasAnswered = true;
    if (line.startsWith('+PONG') && !this.#isShardAsked) {
      this.#waitsSinceMs = performance.now();
      this.#isShardAsked = true;
      this.#isShardAwaited = true;
      this.#socket?.write(MYSHARDID);
      return;
    }
    this.#waitsSinceMs = undefined;
    const isReady = READY.test(line);
    this.#note(isReady, isReady ? 'it answers' : `it answers ${JSON.stringify(line.slice(0, 80))}`);
  }

  #noteShard(line: string): void {
    this.#isShardAwaited = false;
    this.#waitsSinceMs = undefined;
    if (line !== this.#node.shardId) this.#events.onOtherShard();
    this.#note(true, 'it answers');
  }

  /**
   * A server that is upgraded closes its connections, and a new process accepts: ask at once. One that was
   * closed at once is asked in the next round.
   */
  #lose(socket: net.Socket, fault: NodeJS.ErrnoException | undefined): void {
    if (socket !== this.#socket) return;
    const hadAnswered = this.#hasAnswered;
    const nowMs = performance.now();
    this.#drop();
    if (fault?.code?.startsWith('ERR_SSL_') === true) {
      this.#notBeforeMs = nowMs + REFUSED_PAUSE_MS;
      this.#note(true, messageOf(fault));
    } else if (hadAnswered) {
      if (nowMs - this.#openedMs >= LIFE_MS_MIN) this.ask(nowMs);
    } else {
      this.#note(false, fault === undefined ? 'it closes the connection' : messageOf(fault));
    }
  }

  #note(answers: boolean, why: string): void {
    if (this.#isClosed || answers === this.#answers) return;
    this.#answers = answers;
    this.#events.onChange(answers, why);
  }
}
