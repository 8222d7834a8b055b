import { fstatSync, readFileSync } from 'node:fs';
import type net from 'node:net';
import type { Address } from '../common/address.ts';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { type BoundSocket, openSocket } from './bound-socket.ts';

/** Sockets that this process was given at its start in place of an address that it binds. */
export interface InheritedListener {
  /** One of each socket: several only where each thread has one of its own (`SO_REUSEPORT`). */
  readonly fds: readonly number[];
  readonly address: Address;
}

/**
 * Where a socket listens that this process was given.
 *
 * @throws GoromdbError ADDRESS_UNAVAILABLE when it is no such socket.
 */
export function addressOfSocket(fd: number): Address {
  const where = `descriptor ${fd}`;
  try {
    if (!fstatSync(fd).isSocket()) throw new Error('found a file');
    const bound: Partial<net.AddressInfo> = {};
    const socket = openSocket(fd);
    opened.push(socket);
    if (typeof socket.getsockname !== 'function') return { kind: 'unix', path: pathOfSocket(fd) };
    const fault = socket.getsockname(bound);
    if (fault !== 0 || bound.address === undefined) throw new Error(`getsockname: ${fault}`);
    return { kind: 'tcp', host: bound.address, port: bound.port! };
  } catch (cause) {
    const message = `${where}: expected a listening TCP or UNIX socket, found none (${messageOf(cause)})`;
    throw new GoromdbError('ADDRESS_UNAVAILABLE', message, { cause });
  }
}

/** A handle that is collected takes its descriptor with it. */
const opened: BoundSocket[] = [];

/** Node does not say the name of a UNIX socket; Linux lists all of them by their inodes (proc(5)). */
function pathOfSocket(fd: number): string {
  const { ino } = fstatSync(fd);
  for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
    const [, inode, path] = /^\S+ \S+ \S+ \S+ \S+ \S+ +(\d+) (\/.*)$/.exec(line) ?? [];
    if (Number(inode) === ino) return path;
  }
  throw new Error('it has no path');
}
