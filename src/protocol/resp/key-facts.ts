import { recordBytes } from '../../storage/record.ts';
import type { Entry, RecordVisitor } from '../../storage/storage.ts';
import type { Reply } from '../reply.ts';
import {
  type Call,
  type Command,
  fail,
  isInteger,
  keyCommand,
  plainCommand,
  runSubcommand,
  type Subcommands,
  SYNTAX_ERROR,
  withView,
} from './command.ts';
import { appendBulkCopy, appendBulkText, appendInteger, appendNull } from './output.ts';
import type { ScanView } from './positions.ts';

/** RANDOMKEY draws from so many records: to go further takes time. */
const RANDOM_RECORDS_MAX = 1_000;

/** A string up to this length has the encoding `embstr` (Redis' OBJ_ENCODING_EMBSTR_SIZE_LIMIT). */
const EMBEDDED_BYTES_MAX = 44;

const NO_FREQUENCY =
  'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that ' +
  'when switching between policies at runtime LRU and LFU data will take some time to adjust.';
const NO_DUMP = 'ERR DUMP is not supported: read the value with GET';

/** Looks the next argument up; of a missing key null is answered. */
function ofKey(call: Call, reply: Reply, show: (entry: Entry, keyBytes: number) => void): void {
  const { args, client } = call;
  args.advance();
  const { input, start, end } = args;
  withView(call, (view) => {
    const entry = view.get(input, start, end);
    if (entry === undefined) appendNull(reply, client.resp);
    else show(entry, end - start);
  });
}

function encodingOf({ buffer, valueStart, valueEnd }: Entry): string {
  const bytes = valueEnd - valueStart;
  if (bytes <= 20 && isInteger(buffer.toString('latin1', valueStart, valueEnd))) return 'int';
  return bytes <= EMBEDDED_BYTES_MAX ? 'embstr' : 'raw';
}

const OBJECT_SUBCOMMANDS: Subcommands = new Map([
  [
    'encoding',
    {
      arity: 3,
      help: ['key', 'How Redis would keep the value: int, embstr or raw.'],
      run: (call, reply) => ofKey(call, reply, (entry) => appendBulkText(reply, encodingOf(entry))),
    },
  ],
  [
    'freq',
    {
      arity: 3,
      help: ['key', 'An error: it is not tracked.'],
      run: (call, reply) => ofKey(call, reply, () => fail(call, reply, NO_FREQUENCY)),
    },
  ],
  // Reading leaves no trace: nothing was ever used longer ago than another.
  [
    'idletime',
    {
      arity: 3,
      help: ['key', '0: reading leaves no trace.'],
      run: (call, reply) => ofKey(call, reply, () => appendInteger(reply, 0)),
    },
  ],
  [
    'refcount',
    {
      arity: 3,
      help: ['key', '1.'],
      run: (call, reply) => ofKey(call, reply, () => appendInteger(reply, 1)),
    },
  ],
]);

/** MEMORY USAGE key [SAMPLES count]: what the record takes in the table. */
function memoryUsage(call: Call, reply: Reply): void {
  if (call.args.left !== 1 && call.args.left !== 3) {
    fail(call, reply, SYNTAX_ERROR);
    return;
  }
  ofKey(call, reply, ({ valueStart, valueEnd, flags }, keyBytes) =>
    appendInteger(reply, recordBytes(keyBytes, valueEnd - valueStart, flags)),
  );
}

const MEMORY_SUBCOMMANDS: Subcommands = new Map([
  [
    'usage',
    { arity: -3, help: ['key [SAMPLES count]', 'Bytes that the record takes.'], run: memoryUsage },
  ],
]);

function randomkey(call: Call, reply: Reply): void {
  withView(call, (view) => {
    const { keys } = view.info;
    if (view.scan === undefined || keys === 0) {
      appendNull(reply, call.client.resp);
      return;
    }
    const wanted = Math.floor(Math.random() * Math.min(keys, RANDOM_RECORDS_MAX));
    let seen = 0;
    const show: RecordVisitor = (key, start, end) => {
      if (seen++ === wanted) appendBulkCopy(reply, key, start, end);
    };
    reply.charge(wanted);
    call.positions.scan(view as ScanView, 0, wanted + 1, show, reply);
  });
}

/** The commands that show facts about a record. */
export const KEY_FACTS: readonly Command[] = [
  {
    ...keyCommand('object', -2, (call, reply) =>
      runSubcommand(call, reply, 'object', OBJECT_SUBCOMMANDS),
    ),
    keys: [2, 2, 1],
  },
  {
    ...keyCommand('memory', -2, (call, reply) =>
      runSubcommand(call, reply, 'memory', MEMORY_SUBCOMMANDS),
    ),
    keys: [0, 0, 0],
    routed: [2, 2, 1],
  },
  keyCommand('dump', 2, (call, reply) => ofKey(call, reply, () => fail(call, reply, NO_DUMP))),
  plainCommand('randomkey', 1, randomkey, ['readonly']),
];
