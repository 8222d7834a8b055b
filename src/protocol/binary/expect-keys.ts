import type { ForeignKeys } from '../../handler/foreign-keys.ts';
import { commandOf } from './commands.ts';
import { FIELD, HEADER_BYTES, REQUEST_MAGIC } from './packet.ts';

/** Input that is looked through for keys: about what one read takes. */
const LOOKED_THROUGH_BYTES_MAX = 64 * 1024;

/** So many commands without a key to expect end the search. */
const OTHERS_MAX = 8;

/** Has the keys asked for together that the packets in input[from, end) are going to look up. */
export function expectKeys(foreign: ForeignKeys, input: Buffer, from: number, end: number): void {
  const until = Math.min(end, from + LOOKED_THROUGH_BYTES_MAX);
  let at = from;
  let others = 0;
  while (others < OTHERS_MAX && at + HEADER_BYTES <= until && input[at] === REQUEST_MAGIC) {
    const head = at + HEADER_BYTES;
    const next = head + input.readUInt32BE(at + FIELD.bodyBytes);
    if (next > until) return;
    others++;
    if (commandOf(input[at + FIELD.opcode]).kind === 'retrieval') {
      others = 0;
      const key = head + input[at + FIELD.extrasBytes];
      if (key < next && !foreign.expect(input, key, next)) return;
    }
    at = next;
  }
}
