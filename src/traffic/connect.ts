import net from 'node:net';
import type { Address } from '../common/address.ts';

/** Begins to connect to a server. */
export function connectTo(address: Address): net.Socket {
  return address.kind === 'unix'
    ? net.connect(address.path)
    : net.connect(address.port, address.host ?? 'localhost');
}
