import type { Entry } from '../../storage/storage.ts';
import { countGets } from '../counters.ts';
import type { Reply } from '../reply.ts';
import {
  type Call,
  type Command,
  fail,
  isInteger,
  keyCommand,
  NOT_AN_INTEGER,
  withView,
} from './command.ts';
import { appendBulk, appendBulkText, appendInteger, appendSimple } from './output.ts';

/** Looks the next argument up, and shows what was found while the data is held. */
function lookUp(call: Call, show: (entry: Entry | undefined) => void): void {
  const { args } = call;
  args.advance();
  withView(call, (view) => show(view.get(args.input, args.start, args.end)));
}

function strlen(call: Call, reply: Reply): void {
  lookUp(call, (entry) => appendInteger(reply, entry ? entry.valueEnd - entry.valueStart : 0));
}

function type(call: Call, reply: Reply): void {
  lookUp(call, (entry) => appendSimple(reply, entry ? 'string' : 'none'));
}

/** -1: the key never expires, as none does; -2: there is no such key. */
function expiry(call: Call, reply: Reply): void {
  lookUp(call, (entry) => appendInteger(reply, entry ? -1 : -2));
}

/** GETRANGE key first last: both ends belong to the range, and negative ones count from the end. */
function getrange(call: Call, reply: Reply): void {
  const { args, context } = call;
  args.advance();
  const { input, start, end } = args;
  const first = args.nextText();
  const last = args.nextText();
  if (!isInteger(first) || !isInteger(last)) {
    fail(call, reply, NOT_AN_INTEGER);
    return;
  }
  withView(call, (view) => {
    const entry = view.get(input, start, end);
    if (entry === undefined) {
      countGets(context.counters, 0, 1);
      appendBulkText(reply, '');
    } else {
      countGets(context.counters, 1, 0);
      // A double keeps 64-bit numbers well enough: beyond the value's length all are the same.
      appendRange(reply, entry, Number(first), Number(last));
    }
  });
}

function appendRange(reply: Reply, entry: Entry, first: number, last: number): void {
  const { valueStart, valueEnd } = entry;
  const bytes = valueEnd - valueStart;
  const start = Math.max(0, first < 0 ? bytes + first : first);
  const end = Math.min(bytes, Math.max(0, last < 0 ? bytes + last : last) + 1);
  const isReversed = first < 0 && last < 0 && first > last;
  if (isReversed || start >= end) appendBulkText(reply, '');
  else appendBulk(reply, entry, valueStart + start, valueStart + end);
}

/** The commands that look a key up, but for GET: the session has that itself. */
export const READS: readonly Command[] = [
  keyCommand('strlen', 2, strlen),
  keyCommand('type', 2, type),
  keyCommand('ttl', 2, expiry),
  keyCommand('pttl', 2, expiry),
  keyCommand('expiretime', 2, expiry),
  keyCommand('pexpiretime', 2, expiry),
  keyCommand('getrange', 4, getrange),
  keyCommand('substr', 4, getrange),
];
