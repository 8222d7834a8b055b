import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import type { Address } from '../../src/common/address.ts';

/** How one protocol asks for a key, and what is answered. */
export interface Talk {
  readonly name: string;
  request(key: string): Buffer;
  /** Whether a reply is whole, right or wrong. */
  judge(reply: Buffer, key: string): 'whole' | 'part' | 'wrong';
}

export function valueFor(key: string): string {
  return `value of ${key}, `.repeat(4);
}

function textual(
  name: string,
  ask: (key: string) => string,
  answer: (key: string) => string,
): Talk {
  return {
    name,
    request: (key) => Buffer.from(ask(key)),
    judge: (reply, key) => {
      const expected = answer(key);
      const found = reply.toString('latin1');
      if (found === expected) return 'whole';
      return expected.startsWith(found) ? 'part' : 'wrong';
    },
  };
}

const BINARY: Talk = {
  name: 'binary',
  request: (key) => {
    const header = Buffer.alloc(24);
    header[0] = 0x80;
    header.writeUInt16BE(key.length, 2);
    header.writeUInt32BE(key.length, 8);
    return Buffer.concat([header, Buffer.from(key)]);
  },
  judge: (reply, key) => {
    const value = valueFor(key);
    const length = 24 + 4 + value.length;
    if (reply.length < length) return 'part';
    const isRight = reply[0] === 0x81 && reply.readUInt16BE(6) === 0 && reply.length === length;
    return isRight && reply.subarray(28).toString('latin1') === value ? 'whole' : 'wrong';
  },
};

export const TALKS: readonly Talk[] = [
  textual(
    'text',
    (key) => `get ${key}\r\n`,
    (key) => `VALUE ${key} 0 ${valueFor(key).length}\r\n${valueFor(key)}\r\nEND\r\n`,
  ),
  textual(
    'meta',
    (key) => `mg ${key} v\r\n`,
    (key) => `VA ${valueFor(key).length}\r\n${valueFor(key)}\r\n`,
  ),
  textual(
    'RESP',
    (key) => `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`,
    (key) => `$${valueFor(key).length}\r\n${valueFor(key)}\r\n`,
  ),
  BINARY,
];

/** What came of all requests of some clients. */
export interface Tally {
  answered: number;
  wrong: number;
  /** Connections that were not to be had. */
  refused: number;
  reconnected: number;
  /** Requests that got no answer and were sent again. */
  repeated: number;
  longestMs: number;
}

export function newTally(): Tally {
  return { answered: 0, wrong: 0, refused: 0, reconnected: 0, repeated: 0, longestMs: 0 };
}

/** Where clients connect, and how. */
export interface Target {
  readonly address: Address;
  readonly tls: boolean;
}

/** How a client pauses: in the middle of a request, when one is always on its way, and behind a reply. */
interface Pace {
  readonly withinMs: number;
  readonly behindMs: number;
}

/** Asks for one key after the other until it is stopped. Connects again when it is disconnected. */
export async function keepAsking(
  talk: Talk,
  target: Target,
  { withinMs, behindMs }: Pace,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  let connection: Connection | undefined;
  for (let i = 0; !signal.aborted; i++) {
    const key = `key-${i % 100}`;
    const startMs = performance.now();
    for (;;) {
      if (connection === undefined || connection.isOver) {
        if (connection !== undefined) tally.reconnected++;
        connection = await Connection.open(target).catch(() => undefined);
        if (connection === undefined) {
          tally.refused++;
          await delay(1);
          continue;
        }
      }
      const reply = await connection.ask(talk, key, withinMs);
      if (reply === 'wrong') tally.wrong++;
      if (reply !== 'lost') break;
      tally.repeated++;
    }
    tally.answered++;
    tally.longestMs = Math.max(tally.longestMs, performance.now() - startMs);
    if (behindMs > 0) await delay(behindMs);
  }
  connection?.close();
}

class Connection {
  readonly #socket: net.Socket;
  isOver = false;
  #input: Buffer = Buffer.alloc(0);
  #wake = (): void => {};

  constructor(socket: net.Socket) {
    this.#socket = socket;
    // The second half of a request would wait until the first one is acknowledged.
    socket.setNoDelay();
    socket.on('data', (chunk: Buffer) => {
      this.#input = Buffer.concat([this.#input, chunk]);
      this.#wake();
    });
    for (const event of ['end', 'error', 'close']) {
      socket.on(event, () => {
        this.isOver = true;
        this.#wake();
      });
    }
  }

  static open({ address, tls: isEncrypted }: Target): Promise<Connection> {
    const where =
      address.kind === 'unix'
        ? { path: address.path }
        : { host: address.host ?? '127.0.0.1', port: address.port };
    return new Promise((resolve, reject) => {
      const socket = isEncrypted
        ? tls.connect({ ...where, rejectUnauthorized: false })
        : net.connect(where);
      socket.once(isEncrypted ? 'secureConnect' : 'connect', () => resolve(new Connection(socket)));
      socket.once('error', reject);
    });
  }

  async ask(talk: Talk, key: string, withinMs: number): Promise<'right' | 'wrong' | 'lost'> {
    this.#input = Buffer.alloc(0);
    const request = talk.request(key);
    const half = withinMs > 0 ? request.length >> 1 : 0;
    if (half > 0) {
      this.#socket.write(request.subarray(0, half));
      await delay(withinMs);
    }
    this.#socket.write(request.subarray(half));
    for (;;) {
      const found = talk.judge(this.#input, key);
      if (found === 'whole') return 'right';
      if (found === 'wrong') return 'wrong';
      if (this.isOver) return this.#input.length === 0 ? 'lost' : 'wrong';
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
