/**
 * What belongs in this folder: sockets: accepts connections, moves bytes, enforces access and
 * limits.
 */
import type { Address } from '../common/address.ts';

/** A server on a listening socket. */
export interface Server {
  /**
   * Begins to accept connections.
   *
   * @returns The address that was taken: with port 0, the port that the system chose.
   * @throws GoromdbError ADDRESS_UNAVAILABLE.
   */
  listen(address: Address): Promise<Address>;
  /**
   * Stops accepting, answers what was asked, closes the connections. Those still open after
   * `graceMs` are cut. Safe to call twice.
   */
  close(graceMs?: number): Promise<void>;
}
