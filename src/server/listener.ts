import { chmodSync, rmSync, type Stats, statSync } from 'node:fs';
import net from 'node:net';
import { dirname } from 'node:path';
import { type Address, formatAddress } from '../common/address.ts';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { UNIX_MODE } from './access.ts';
import { type BoundSocket, bindSocket } from './bound-socket.ts';

/** Connections that the kernel may hold for us to accept (memcached's default). */
const BACKLOG = 1024;

/** What an address is for: `address` of all clients, or that of clients of a Redis Cluster. */
export type ListenRole = 'data' | 'cluster';

/** What to listen on: an address, or a descriptor of a socket that listens on it already. */
export type ListenTarget =
  | { readonly address: Address; readonly reusePort: boolean }
  | { readonly address: Address; readonly fd: number };

/**
 * Makes a server listen.
 *
 * @param flag Gives the address, for messages.
 * @returns The address.
 */
export async function listen(
  server: net.Server,
  target: ListenTarget,
  unixMode: number = UNIX_MODE,
  flag?: string,
): Promise<Address> {
  const isNew = 'reusePort' in target;
  if (isNew && target.address.kind === 'unix') {
    await makeRoomForSocket(target.address.path);
  }
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: Error): void => reject(listenError(target.address, cause, flag));
    server.once('error', fail);
    // Beside a descriptor Node takes the backlog from here only.
    server.listen(listenOptions(target), BACKLOG, () => {
      server.removeListener('error', fail);
      resolve();
    });
  });
  if (!isNew) return target.address;
  if (target.address.kind === 'unix') {
    chmodSync(target.address.path, unixMode);
    return target.address;
  }
  const bound = server.address() as net.AddressInfo;
  return { ...target.address, port: bound.port };
}

/**
 * Binds a socket for others to listen on: until one of them does, connections are refused.
 *
 * @throws GoromdbError ADDRESS_UNAVAILABLE.
 */
export async function bind(
  address: Address,
  unixMode: number = UNIX_MODE,
  flag?: string,
): Promise<{ readonly socket: BoundSocket; readonly address: Address }> {
  if (address.kind === 'unix') await makeRoomForSocket(address.path);
  try {
    const bound = await bindSocket(address);
    if (address.kind === 'unix') chmodSync(address.path, unixMode);
    return bound;
  } catch (cause) {
    throw listenError(address, cause as NodeJS.ErrnoException, flag);
  }
}

/**
 * Fails when an address cannot be listened on, before any other work begins. It accepts nobody: a
 * port that answers serves. A port of 0 can always be had.
 *
 * @param flag Gives the address, for messages.
 * @throws GoromdbError ADDRESS_UNAVAILABLE.
 */
export async function checkAddress(address: Address, flag?: string): Promise<void> {
  const { socket } = await bind(address, UNIX_MODE, flag);
  socket.close();
  if (address.kind === 'unix') rmSync(address.path, { force: true });
}

/** The descriptor of a server that listens, which Node keeps to itself; undefined: it does not. */
export function descriptorOf(server: net.Server): number | undefined {
  const { _handle: handle } = server as unknown as { readonly _handle: { readonly fd?: number } };
  return handle?.fd;
}

function listenOptions(target: ListenTarget): net.ListenOptions {
  if ('fd' in target) return { fd: target.fd } as net.ListenOptions;
  const { address, reusePort } = target;
  if (address.kind === 'unix') return { path: address.path };
  const host = address.host === undefined ? {} : { host: address.host };
  const reuse = reusePort ? { reusePort } : {};
  return { ...host, ...reuse, port: address.port };
}

function listenError(address: Address, cause: NodeJS.ErrnoException, flag = '-addr'): GoromdbError {
  const where = formatAddress(address);
  const reasons: Record<string, string> = {
    EADDRINUSE: `another program listens there; stop it, or choose another address with ${flag}`,
    EACCES: 'no permission; choose a port above 1023, or a folder you may write to',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'no such host name',
  };
  const reason = reasons[cause.code ?? ''] ?? messageOf(cause);
  return unavailable(where, reason, cause);
}

function unavailable(where: string, reason: string, cause?: unknown): GoromdbError {
  return new GoromdbError('ADDRESS_UNAVAILABLE', `cannot listen on ${where}: ${reason}`, { cause });
}

/**
 * Removes what a killed process left behind: its socket refuses connections, one in use does not.
 * Says what else is in the way; the system's own errors for these cases mislead.
 */
async function makeRoomForSocket(path: string): Promise<void> {
  const where = formatAddress({ kind: 'unix', path });
  const folder = statOf(dirname(path));
  if (!folder?.isDirectory()) throw unavailable(where, `there is no folder ${dirname(path)}`);
  const stat = statOf(path);
  if (stat === undefined) return;
  if (!stat.isSocket()) throw unavailable(where, 'something that is no socket has this name');
  const isStale = await new Promise<boolean>((resolve) => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
  if (isStale) rmSync(path, { force: true });
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
