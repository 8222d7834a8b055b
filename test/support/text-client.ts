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
  /** What came, in pieces: joined are only those that a reply lies in, or a long input costs its square. */
  readonly #pieces: Buffer[] = [];
  #length = 0;
  #wake: () => void = () => {};
  #fault: Error | undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#pieces.push(chunk);
      this.#length += chunk.length;
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
    for (let sought = 1; ; ) {
      while (this.#length < sought) await this.#more();
      const input = this.#join(sought);
      const at = input.indexOf('\r\n');
      if (at >= 0) return (await this.read(at + 2)).toString('latin1', 0, at);
      sought = input.length + 1;
    }
  }

  /** Waits for the server to close, and returns what came before. */
  async readToEnd(): Promise<string> {
    while (this.#fault === undefined) await this.#wait();
    return (await this.read(this.#length)).toString('latin1');
  }

  close(): void {
    this.#socket.destroy();
  }

  /** The next bytes of the reply. */
  async read(length: number): Promise<Buffer> {
    while (this.#length < length) await this.#more();
    const first = this.#join(length);
    this.#pieces[0] = first.subarray(length);
    this.#length -= length;
    return first.subarray(0, length);
  }

  /** The first piece, which has so many bytes now. */
  #join(length: number): Buffer {
    let count = 0;
    for (let joined = 0; joined < length; count++) joined += this.#pieces[count].length;
    if (count > 1) this.#pieces.unshift(Buffer.concat(this.#pieces.splice(0, count)));
    return this.#pieces[0] ?? Buffer.alloc(0);
  }

  async #more(): Promise<void> {
    const length = this.#length;
    while (this.#length === length) {
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
