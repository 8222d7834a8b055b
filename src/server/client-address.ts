import type { Socket } from 'node:net';

/** A client's address in memcached's form: `tcp:127.0.0.1:40530`, `unix`. */
export function clientAddress({ remoteAddress, remotePort, remoteFamily }: Socket): string {
  if (remoteAddress === undefined) return 'unix';
  const isIPv6 = remoteFamily === 'IPv6';
  const host = isIPv6 ? `[${remoteAddress}]` : remoteAddress;
  return `${isIPv6 ? 'tcp6' : 'tcp'}:${host}:${remotePort}`;
}

/** The same without the port: each connection of a client has another one. */
export function withoutPort(address: string): string {
  return address.replace(/^tcp6?:/, '').replace(/:\d+$/, '');
}
