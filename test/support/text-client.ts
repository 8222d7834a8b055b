import net from 'node:net';
import type { Address } from '../../src/common/address.ts';

/** One hit of a `get` or `gets`. */
export interface Hit {
  readonly key: string;
  readonly flags: number;
  readonly cas: number | undefined;
  readonly value: Buffer;
}

/**
 * A strict memcached client: it checks the form of each reply byte for byte and throws at the
 * first wrong one.
 */
export class TextClient {
  readonly #socket: net.Socket;
  #input: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};
  #fault: Error | undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
      this.#wake();
    });
    const stop = (why: string) => (): void => {
      this.#fault ??= new Error(why);
      this.#wake();
    };
    socket.on('end', stop('the server has closed the connection'));
    socket.on('error', stop('the connection has failed'));
    socket.on('close', stop('the connection is closed'));
  }

  static async connect(address: Address): Promise<TextClient> {
    const socket =
      address.kind === 'unix'
        ? net.connect(address.path)
        : net.connect(address.port, address.host ?? '127.0.0.1');
    const client = new TextClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  /** The port that it connects from; undefined over a UNIX socket. */
  get port(): number | undefined {
    return this.#socket.localPort;
  }

  send(text: string | Uint8Array): void {
    this.#socket.write(text);
  }

  /** Sends one `get` or `gets` and returns the hits in the order of the reply. */
  async get(keys: readonly string[], verb: 'get' | 'gets' = 'get'): Promise<Hit[]> {
    this.send(`${verb} ${keys.join(' ')}\r\n`);
    return this.readHits(verb);
  }

  async readHits(verb: 'get' | 'gets'): Promise<Hit[]> {
    const hits: Hit[] = [];
    for (;;) {
      const line = await this.readLine();
      if (line === 'END') return hits;
      const form =
        verb === 'gets' ? /^VALUE (\S+) (\d+) (\d+) (\d+)$/ : /^VALUE (\S+) (\d+) (\d+)$/;
      const match = form.exec(line);
      if (match === null) throw new Error(`expected VALUE or END, found ${JSON.stringify(line)}`);
      const value = await this.read(Number(match[3]) + 2);
      if (value.toString('latin1', value.length - 2) !== '\r\n') {
        throw new Error(`the value of ${match[1]} does not end where its length says`);
      }
      const cas = match[4] === undefined ? undefined : Number(match[4]);
      hits.push({ key: match[1], flags: Number(match[2]), cas, value: value.subarray(0, -2) });
    }
  }

  /** The general statistics. */
  async stats(): Promise<Record<string, string>> {
    this.send('stats\r\n');
    const stats: Record<string, string> = {};
    for (;;) {
      const line = await this.readLine();
      if (line === 'END') return stats;
      const [, name, value] = line.split(' ');
      stats[name] = value;
    }
  }

  /** The next line of the reply, without its end. */
  async readLine(): Promise<string> {
    for (;;) {
      const at = this.#input.indexOf('\r\n');
      if (at >= 0) return (await this.read(at + 2)).toString('latin1', 0, at);
      await this.#more();
    }
  }

  /** Waits for the server to close, and returns what came before. */
  async readToEnd(): Promise<string> {
    while (this.#fault === undefined) await this.#wait();
    const rest = this.#input.toString('latin1');
    this.#input = Buffer.alloc(0);
    return rest;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** The next bytes of the reply. */
  async read(length: number): Promise<Buffer> {
    while (this.#input.length < length) await this.#more();
    const bytes = this.#input.subarray(0, length);
    this.#input = this.#input.subarray(length);
    return bytes;
  }

  async #more(): Promise<void> {
    const length = this.#input.length;
    while (this.#input.length === length) {
      if (this.#fault !== undefined) throw this.#fault;
      await this.#wait();
    }
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
