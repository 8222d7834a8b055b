import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { Address } from '../common/address.ts';

/** Node's handle of a socket, with what is used of it here. */
export interface BoundSocket {
  getsockname(out: Partial<net.AddressInfo>): number;
  close(): void;
}

/** Node's own first half of `server.listen`, which has no public name. */
type CreateServerHandle = (
  address: string | null,
  port: number,
  addressType: 4 | 6 | -1 | undefined,
  fd?: number,
) => BoundSocket | number;

const { _createServerHandle: createServerHandle } = net as unknown as {
  readonly _createServerHandle: CreateServerHandle;
};

/**
 * Binds a socket to an address and does not listen: the kernel refuses connections until somebody
 * calls `listen` on it. A server that listens accepts at once, and whom it accepted is lost when it
 * closes without having served.
 *
 * @returns The socket, and the address with the port that it has.
 * @throws An error with the system's `code`, as `server.listen` reports it.
 */
export async function bindSocket(
  address: Address,
): Promise<{ readonly socket: BoundSocket; readonly address: Address }> {
  if (address.kind === 'unix') {
    return { socket: created(createServerHandle(address.path, -1, -1)), address };
  }
  const host = address.host === undefined ? undefined : await lookup(address.host);
  const family = host === undefined ? undefined : host.family === 6 ? 6 : 4;
  const socket = created(createServerHandle(host?.address ?? null, address.port, family));
  const bound: Partial<net.AddressInfo> = {};
  const isBound = socket.getsockname(bound) === 0 && bound.port !== 0;
  // libuv keeps this one error of `bind` for `listen`.
  if (!isBound) {
    socket.close();
    throw systemError('EADDRINUSE');
  }
  return { socket, address: { ...address, port: bound.port! } };
}

/**
 * Takes a descriptor of a socket that this process was given. From now on it belongs to the handle.
 *
 * @throws An error with the system's `code` when it is no descriptor of a socket.
 */
export function openSocket(fd: number): BoundSocket {
  return created(createServerHandle(null, 0, undefined, fd));
}

function created(handle: BoundSocket | number): BoundSocket {
  if (typeof handle === 'number') throw systemError(getSystemErrorName(handle));
  return handle;
}

function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`bind ${code}`), { code });
}
