import net from 'node:net';
import tls from 'node:tls';
import { type Address, formatAddress } from '../common/address.ts';
import { type AccessOptions, checkAccessFits, loadTls } from './access.ts';
import { descriptorOf, type ListenTarget, listen } from './listener.ts';

/** How long a client may take for the TLS handshake. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** What a thread has to say about connections that an acceptor has. */
export interface Doorkeeper {
  /** Called when a client is connected, and its handshake is over. */
  readonly accept: (socket: net.Socket) => void;
  /** Whether a client may have a handshake, before it costs one. What is refused is ended. */
  readonly admits: (socket: net.Socket) => boolean;
}

/** The same of a TLS connection as of what it runs over, which Node does not show. */
function peerOf({ remoteAddress, remotePort }: net.Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Accepts connections on one address, with TLS or without. */
export class Acceptor {
  readonly #access: AccessOptions;
  readonly #doorkeeper: Doorkeeper;
  readonly #server: net.Server;
  /** What TLS runs over: there from before the handshake. */
  readonly #encrypted = new Set<net.Socket>();
  /** Those of them whose handshake is not over, by the client's address and port. */
  readonly #handshakes = new Map<string, net.Socket>();
  #address = '';
  #isUnix = false;

  constructor(access: AccessOptions, doorkeeper: Doorkeeper) {
    this.#access = access;
    this.#doorkeeper = doorkeeper;
    this.#server = this.#createServer();
  }

  /** Where it listens, as text. */
  get address(): string {
    return this.#address;
  }

  /** Whether it listens on a UNIX socket, whose clients have no addresses. */
  get isUnix(): boolean {
    return this.#isUnix;
  }

  /** The descriptor that it listens on. */
  get descriptor(): number | undefined {
    return descriptorOf(this.#server);
  }

  /** How many connections there are with TLS, or with a handshake under way. */
  get encrypted(): number {
    return this.#encrypted.size;
  }

  /** @throws GoromdbError ADDRESS_UNAVAILABLE, OPTION_INVALID. */
  async listen(target: ListenTarget): Promise<Address> {
    checkAccessFits(this.#access, target.address);
    const address = await listen(this.#server, target, this.#access.unixMode);
    this.#address = formatAddress(address);
    this.#isUnix = address.kind === 'unix';
    return address;
  }

  /** For connections to come. */
  useCertificates(certificates: ReturnType<typeof loadTls>): void {
    (this.#server as tls.Server).setSecureContext(certificates);
  }

  /** Resolves when the last connection has gone. */
  stop(): Promise<void> {
    return new Promise((resolve) => void this.#server.close(() => resolve()));
  }

  /** Nothing was asked there yet. */
  endHandshakes(): void {
    for (const socket of this.#handshakes.values()) socket.destroy();
  }

  cutEncrypted(): void {
    for (const socket of this.#encrypted) socket.destroy();
  }

  /** Half-open: a client may end its side and still wait for the answers. */
  #createServer(): net.Server {
    const options = { allowHalfOpen: true, pauseOnConnect: true };
    const accept = (socket: net.Socket): void => this.#doorkeeper.accept(socket);
    if (this.#access.tls === undefined) return net.createServer(options, accept);
    const server = tls.createServer({
      ...options,
      ...loadTls(this.#access.tls),
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    server.prependListener('connection', (socket) => {
      const peer = peerOf(socket);
      this.#encrypted.add(socket);
      this.#handshakes.set(peer, socket);
      socket.once('close', () => {
        this.#encrypted.delete(socket);
        if (this.#handshakes.get(peer) === socket) this.#handshakes.delete(peer);
      });
      if (!this.#doorkeeper.admits(socket)) socket.destroy();
    });
    server.on('secureConnection', (socket) => {
      this.#handshakes.delete(peerOf(socket));
      accept(socket);
    });
    // A client that cannot speak TLS, or whose certificate is not accepted, is its own fault.
    server.on('tlsClientError', (_, socket) => socket.destroy());
    return server;
  }
}
