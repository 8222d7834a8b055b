/**
 * What belongs in this folder: hands a running server over to a new process.
 *
 * The old process starts the new one with its sockets and locks, and both go through these steps
 * together. Whichever is killed at whichever of them, the other one has sockets and locks, and goes on.
 *
 *     old                                   new
 *     serves, watches                       reads its command line: `checked`
 *     ends loads, watches no more: `go`     maps the data, accepts connections: `ready`
 *     `yours`                               answers commands, watches: `taken`
 *     accepts no more, closes connections
 */

import { type Address, formatAddress, parseAddress } from '../common/address.ts';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { closeStrays, findStrays, type Stray } from '../common/strays.ts';
import type { LockHandle } from '../control/folder-lock.ts';
import type { InheritedListener } from '../server/inherited.ts';
import type { ListenRole } from '../server/listener.ts';

/** The environment variable with what a new process is given, as JSON. */
export const HANDOVER_VARIABLE = 'GOROMDB_HANDOVER';
/** Of the text in it. A change of what it means gets another number. */
const HANDOVER_VERSION = 1;
/** More than a process of 64 threads and 64 data sets hands over. */
const HANDOVER_CHARS_MAX = 120 * 1024;

/** What a socket is for. */
export type SocketRole = ListenRole | 'http';

/** Sockets that a process listens on, or was given. */
export interface RoleSockets extends InheritedListener {
  readonly role: SocketRole;
  /** The address as its options have it; undefined: whichever they have. With port 0 it is another. */
  readonly asked: string | undefined;
}

/** All that a process is given in place of binding and locking. */
export interface Inherited {
  readonly sockets: readonly RoleSockets[];
  readonly locks: readonly LockHandle[];
}

/** What the new process says. */
export type NewSays =
  | { readonly kind: 'checked' | 'ready' }
  /** @param roles The sockets that it goes on with. */
  | { readonly kind: 'taken'; readonly roles: readonly SocketRole[] }
  | { readonly kind: 'failed'; readonly message: string };

/** What the old process says. */
export interface OldSays {
  readonly kind: 'go' | 'yours';
}

/** The sockets of one role, if they are at the address that is asked for. */
export function socketsFor(
  { sockets }: Inherited,
  role: SocketRole,
  address: Address | undefined,
): RoleSockets | undefined {
  if (address === undefined) return undefined;
  const where = formatAddress(address);
  return sockets.find((one) => one.role === role && (one.asked ?? where) === where);
}

/**
 * Numbers the descriptors as the new process has them.
 *
 * @param firstFd The number of the first one there.
 * @returns The descriptors here, in the order there, and the text for the environment variable.
 */
export function packHandover(
  { sockets, locks }: Inherited,
  firstFd: number,
): { readonly fds: readonly number[]; readonly text: string } {
  const fds: number[] = [];
  const give = (fd: number): number => firstFd + fds.push(fd) - 1;
  const handed = {
    version: HANDOVER_VERSION,
    sockets: sockets.map(({ address, fds: own, ...others }) => ({
      ...others,
      address: formatAddress(address),
      fds: own.map(give),
    })),
    locks: locks.map(({ name, fd }) => ({ name, fd: give(fd) })),
    strays: findStrays(firstFd + fds.length),
  };
  return { fds, text: JSON.stringify(handed) };
}

/**
 * Reads what this process is given, and closes what it has by mistake.
 *
 * @throws GoromdbError UPGRADE_FAILED when another version has written it.
 */
export function unpackHandover(text: string): Inherited {
  try {
    if (text.length > HANDOVER_CHARS_MAX) throw new Error(`found ${text.length} characters`);
    const { version, sockets, locks, strays } = JSON.parse(text) as {
      readonly version: number;
      readonly sockets: readonly (Omit<RoleSockets, 'address'> & { readonly address: string })[];
      readonly locks: readonly LockHandle[];
      readonly strays: readonly Stray[];
    };
    if (version !== HANDOVER_VERSION) throw new Error(`found version ${version}`);
    const read = ({ role, asked, address, fds }: (typeof sockets)[number]): RoleSockets => {
      return { role, asked, address: parseAddress(address), fds: fds.map(descriptor) };
    };
    const lock = ({ name, fd }: LockHandle): LockHandle => ({ name, fd: descriptor(fd) });
    closeStrays(strays);
    return { sockets: sockets.map(read), locks: locks.map(lock) };
  } catch (cause) {
    const message = `${HANDOVER_VARIABLE}: expected what version ${HANDOVER_VERSION} of the handover says (${messageOf(cause)}): restart the server in place of upgrading it`;
    throw new GoromdbError('UPGRADE_FAILED', message, { cause });
  }
}

function descriptor(fd: unknown): number {
  if (typeof fd === 'number' && Number.isInteger(fd) && fd > 2) return fd;
  throw new Error(`found the descriptor ${JSON.stringify(fd)}`);
}
