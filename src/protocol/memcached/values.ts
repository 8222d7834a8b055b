import type { Entry } from '../../storage/storage.ts';
import { headOf, type Reply } from '../reply.ts';

const VALUE = headOf('VALUE ');

/**
 * Appends one hit as `get` and `gets` send it (memcached's protocol.txt, "Retrieval command"):
 * `VALUE <key> <flags> <bytes>[ <cas>]\r\n<value>\r\n`.
 *
 * @param key Memory that holds the key that was asked for in [keyStart, keyEnd).
 */
export function appendValue(
  reply: Reply,
  entry: Entry,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  withCas: boolean,
): void {
  const { wireStart, valueStart, valueEnd } = entry;
  if (wireStart >= 0 && !withCas) {
    // The record's text is the reply: one copy, or none for a large value.
    reply.lend(entry, wireStart, valueEnd + 2, VALUE);
    return;
  }
  reply.copy(VALUE.bytes, 0, VALUE.bytes.length);
  reply.copy(key, keyStart, keyEnd);
  reply.text(' ');
  reply.decimal(entry.flags);
  reply.text(' ');
  reply.decimal(valueEnd - valueStart);
  if (withCas) {
    reply.text(' ');
    reply.decimal(entry.cas);
  }
  reply.text('\r\n');
  reply.lend(entry, valueStart, valueEnd);
  reply.text('\r\n');
}
