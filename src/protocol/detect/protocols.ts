import { binaryProtocol } from '../binary/binary.ts';
import { memcachedProtocol } from '../memcached/memcached.ts';
import type { Protocol } from '../protocol.ts';
import { respProtocol } from '../resp/resp.ts';
import { detectingProtocol } from './detect.ts';

/** The built-in protocols, by their name on the command line. */
export const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  memcached: detectingProtocol,
  text: memcachedProtocol,
  binary: binaryProtocol,
  redis: respProtocol,
};
