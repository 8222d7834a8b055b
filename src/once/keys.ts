import { endOfPrefix } from '../etcd/etcd.ts';

/** The first byte that a key may begin with: below are control characters. */
const FIRST_BYTE = 0x20;

/**
 * All keys of a prefix, for a list or a count. What is below the prefix with a control character behind it
 * is none of them, but about the nodes.
 */
export function keyRange(prefix: string): { readonly key: Buffer; readonly end: Buffer } {
  const start = Buffer.from(prefix, 'utf8');
  return { key: Buffer.concat([start, Buffer.of(FIRST_BYTE)]), end: endOfPrefix(start) };
}
