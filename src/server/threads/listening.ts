import type { Address } from '../../common/address.ts';
import { GoromdbError } from '../../common/errors.ts';
import type { InheritedListener } from '../inherited.ts';
import type { ListenTarget } from '../listener.ts';
import type { ServingThread } from './serving-thread.ts';
import { hasReusePort, listenShared, type SharedListener } from './shared-listener.ts';

/** Where a thread listens: the thread changes when it dies, the place stays. */
export interface ListeningPlace {
  thread: ServingThread;
  target: ListenTarget | undefined;
  /** What it listens on. */
  fd: number | undefined;
}

/** How the threads of a process listen on one address: on sockets of their own, or on one. */
export class Listening {
  readonly #places: readonly ListeningPlace[];
  readonly #unixMode: number | undefined;
  #shared: SharedListener | undefined;
  /** Whoever removes a UNIX socket's file when it closes: this process or another one. */
  ownsSocketFile = true;

  constructor(places: readonly ListeningPlace[], unixMode: number | undefined) {
    this.#places = places;
    this.#unixMode = unixMode;
  }

  /** The sockets, for a process that goes on with them. */
  get descriptors(): readonly number[] {
    if (this.#shared !== undefined) return [this.#shared.own];
    return this.#places.flatMap(({ fd }) => fd ?? []);
  }

  /** @param inherited What to listen on in place of binding a socket. */
  begin(address: Address, inherited?: InheritedListener): Promise<Address> {
    const { length } = this.#places;
    if (inherited !== undefined) {
      const [fd, ...others] = inherited.fds;
      if (others.length > 0) return this.#beginInherited(inherited);
      return this.#beginShared(inherited.address, fd);
    }
    // A UNIX socket too, whose file would go with a server that has made it.
    const isOne = address.kind === 'unix' || (length > 1 && !hasReusePort());
    return isOne ? this.#beginShared(address) : this.#beginEach(address);
  }

  /** Has a thread listen that has come in the place of another one. */
  async resume(place: ListeningPlace): Promise<void> {
    if (this.#shared !== undefined) {
      const { address } = this.#shared;
      place.target = { fd: await this.#shared.duplicate(), address };
    }
    await listenAt(place);
  }

  /** To be called when no thread listens any more. */
  close(): void {
    this.#shared?.close(this.ownsSocketFile);
  }

  async #beginShared(address: Address, fd?: number): Promise<Address> {
    const count = this.#places.length;
    this.#shared = await listenShared({ address, unixMode: this.#unixMode, count, fd });
    const { fds, address: bound } = this.#shared;
    this.#places.forEach((place, i) => {
      place.target = { fd: fds[i], address: bound };
    });
    await Promise.all(this.#places.map(listenAt));
    return bound;
  }

  async #beginEach(address: Address): Promise<Address> {
    const [first, ...others] = this.#places;
    const reusePort = others.length > 0;
    first.target = { address, reusePort };
    const bound = await listenAt(first);
    for (const place of this.#places) place.target = { address: bound, reusePort };
    await Promise.all(others.map(listenAt));
    return bound;
  }

  /** Each thread goes on with a socket of its own; who has none gets one. */
  async #beginInherited({ fds, address }: InheritedListener): Promise<Address> {
    const { length } = this.#places;
    if (fds.length > length) {
      const message = `-threads: expected at least ${fds.length}, as many as the running server has, found ${length}: fewer threads take a restart`;
      throw new GoromdbError('OPTION_INVALID', message);
    }
    this.#places.forEach((place, i) => {
      place.target = i < fds.length ? { fd: fds[i], address } : { address, reusePort: true };
    });
    await Promise.all(this.#places.map(listenAt));
    // The socket of a thread that dies goes with it.
    for (const place of this.#places) place.target = { address, reusePort: true };
    return address;
  }
}

async function listenAt(place: ListeningPlace): Promise<Address> {
  const { thread, target } = place;
  const { address, fd } = await thread.request({ kind: 'listen', target: target! });
  place.fd = fd;
  return address!;
}
