import type { ForeignKeys } from '../../handler/foreign-keys.ts';
import { takesKeys } from './command.ts';
import { COMMANDS } from './commands.ts';
import { Args, NAME_BYTES_MAX, RequestFrame } from './frame.ts';
import { KEY_BYTES_MAX } from './lookups.ts';

/** Input that is looked through for keys: about what one read takes. */
const LOOKED_THROUGH_BYTES_MAX = 64 * 1024;

/** So many commands without a key to expect end the search. */
const OTHERS_MAX = 8;

/** Keys of one list that are looked at in one go: each is hashed. */
const KEYS_AT_ONCE = 4_096;

/** Bytes of keys that are hashed in one go. */
const KEYS_BYTES_AT_ONCE = 1024 * 1024;

/** Bytes that are hashed in a unit of work (see reply.ts). */
const BYTES_A_UNIT = 512;

/** Has the keys asked for together that the requests in input[from, end) are going to look up. */
export function expectKeys(foreign: ForeignKeys, input: Buffer, from: number, end: number): void {
  const until = Math.min(end, from + LOOKED_THROUGH_BYTES_MAX);
  const frame = new RequestFrame();
  const args = new Args();
  let at = from;
  let others = 0;
  while (
    at < until &&
    others < OTHERS_MAX &&
    frame.readHead(input, at, until) === 'whole' &&
    frame.argc > 0
  ) {
    const { nameStart, nameBytes, argc } = frame;
    if (frame.readArgs(input, at, until, LOOKED_THROUGH_BYTES_MAX) !== 'whole') return;
    frame.finish();
    const nameEnd = nameStart + Math.min(nameBytes, NAME_BYTES_MAX);
    const command = COMMANDS.get(input.toString('latin1', nameStart, nameEnd).toLowerCase());
    others++;
    if (command?.keys[0] === 1 && argc > command.keys[1]) {
      others = 0;
      const count = takesKeys(command) ? argc - 1 : command.keys[1];
      args.begin(input, nameStart + nameBytes + 2, until, count);
      expectArgs(foreign, args);
    }
    at = frame.next;
  }
}

/** The same of arguments that are keys. @returns What it has cost, in units of work. */
export function expectArgs(foreign: ForeignKeys, args: Args): number {
  let bytes = 0;
  for (let count = 0; count < KEYS_AT_ONCE && bytes < KEYS_BYTES_AT_ONCE; count++) {
    if (!args.advance()) break;
    const keyBytes = args.end - args.start;
    bytes += keyBytes + BYTES_A_UNIT / 8;
    if (keyBytes > KEY_BYTES_MAX) continue;
    if (!foreign.expect(args.input, args.start, args.end)) break;
  }
  return bytes / BYTES_A_UNIT;
}
