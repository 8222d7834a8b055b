import type { Address } from '../../common/address.ts';
import { GoromdbError } from '../../common/errors.ts';
import type { InheritedListener } from '../inherited.ts';
import type { ListenRole, ListenTarget } from '../listener.ts';
import type { ServingThread } from './serving-thread.ts';
import { hasReusePort, listenShared, type SharedListener } from './shared-listener.ts';

/** The place of a thread: the thread changes when it dies, the place stays. */
export interface ThreadPlace {
  readonly thread: ServingThread;
}

/** What the thread of a place listens on. */
interface Spot {
  readonly place: ThreadPlace;
  target: ListenTarget | undefined;
  fd: number | undefined;
}

/** How the threads of a process listen on one address: on sockets of their own, or on one. */
export class Listening {
  readonly #role: ListenRole;
  readonly #spots: readonly Spot[];
  readonly #unixMode: number | undefined;
  #shared: SharedListener | undefined;
  /** Whoever removes a UNIX socket's file when it closes: this process or another one. */
  ownsSocketFile = true;

  constructor(role: ListenRole, places: readonly ThreadPlace[], unixMode: number | undefined) {
    this.#role = role;
    this.#spots = places.map((place) => ({ place, target: undefined, fd: undefined }));
    this.#unixMode = unixMode;
  }

  /** The sockets, for a process that goes on with them. */
  get descriptors(): readonly number[] {
    if (this.#shared !== undefined) return [this.#shared.own];
    return this.#spots.flatMap(({ fd }) => fd ?? []);
  }

  /** @param inherited What to listen on in place of binding a socket. */
  begin(address: Address, inherited?: InheritedListener): Promise<Address> {
    const { length } = this.#spots;
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
  async resume(place: ThreadPlace): Promise<void> {
    const spot = this.#spots.find((one) => one.place === place);
    if (spot?.target === undefined) return;
    if (this.#shared !== undefined) {
      const { address } = this.#shared;
      spot.target = { fd: await this.#shared.duplicate(), address };
    }
    await this.#listenAt(spot);
  }

  /** To be called when no thread listens any more. */
  close(): void {
    this.#shared?.close(this.ownsSocketFile);
  }

  async #beginShared(address: Address, fd?: number): Promise<Address> {
    const count = this.#spots.length;
    this.#shared = await listenShared({ address, unixMode: this.#unixMode, count, fd });
    const { fds, address: bound } = this.#shared;
    this.#spots.forEach((spot, i) => {
      spot.target = { fd: fds[i], address: bound };
    });
    await Promise.all(this.#spots.map((spot) => this.#listenAt(spot)));
    return bound;
  }

  async #beginEach(address: Address): Promise<Address> {
    const [first, ...others] = this.#spots;
    const reusePort = others.length > 0;
    first.target = { address, reusePort };
    const bound = await this.#listenAt(first);
    for (const spot of this.#spots) spot.target = { address: bound, reusePort };
    await Promise.all(others.map((spot) => this.#listenAt(spot)));
    return bound;
  }

  /** Each thread goes on with a socket of its own; who has none gets one. */
  async #beginInherited({ fds, address }: InheritedListener): Promise<Address> {
    const { length } = this.#spots;
    if (fds.length > length) {
      const message = `-threads: expected at least ${fds.length}, as many as the running server has, found ${length}: fewer threads take a restart`;
      throw new GoromdbError('OPTION_INVALID', message);
    }
    this.#spots.forEach((spot, i) => {
      spot.target = i < fds.length ? { fd: fds[i], address } : { address, reusePort: true };
    });
    await Promise.all(this.#spots.map((spot) => this.#listenAt(spot)));
    // The socket of a thread that dies goes with it.
    for (const spot of this.#spots) spot.target = { address, reusePort: true };
    return address;
  }

  async #listenAt(spot: Spot): Promise<Address> {
    const { thread } = spot.place;
    const request = { kind: 'listen', target: spot.target!, role: this.#role } as const;
    const { address, fd } = await thread.request(request);
    spot.fd = fd;
    return address!;
  }
}
