import type { CounterName } from '../counters.ts';
import { ASKED_KEY_BYTES_MAX } from '../writes.ts';
import { BODY_BYTES_MAX, type ErrorStatus, OPCODE, STATUS } from './packet.ts';

/** What a request with some opcode must look like. */
interface Shape {
  /** The extras that it has; `any` number of bytes of a command that nobody knows. */
  readonly extrasBytes: number | 'any';
  /** Whether it may come without the extras. */
  readonly mayLackExtras?: true;
  readonly key: 'needed' | 'none' | 'optional';
  /** Whether something may be behind the key. */
  readonly hasValue?: true;
}

/** Answers with a record. */
interface Retrieval extends Shape {
  readonly kind: 'retrieval';
  readonly withKey: boolean;
  /** Counts as a touch, and does nothing else by it: records never expire. */
  readonly touches: boolean;
  /** A miss is not answered. */
  readonly isQuiet: boolean;
}

/** Is not done: its body is swallowed and then answered with an error. */
export interface Refused extends Shape {
  readonly kind: 'refused';
  readonly status: ErrorStatus;
  readonly counters: readonly CounterName[];
  /** Name of the write that it is, as the text protocol calls it; undefined: it is none. */
  readonly write?: string;
  readonly isSilent: boolean;
}

interface Other extends Shape {
  readonly kind: 'noop' | 'version' | 'stat' | 'quit' | 'quitq';
}

export type Command = Retrieval | Refused | Other;

const BARE: Shape = { extrasBytes: 0, key: 'none' };
const KEY_ONLY: Shape = { extrasBytes: 0, key: 'needed' };

/** Extras: the expiration time. */
const WITH_TIME: Shape = { extrasBytes: 4, key: 'needed' };

/** Extras: flags and expiration time. */
const STORE: Shape = { extrasBytes: 8, key: 'needed', hasValue: true };

/** Extras: delta, initial value and expiration time. */
const ARITHMETIC: Shape = { extrasBytes: 20, key: 'needed' };

const EXTEND: Shape = { extrasBytes: 0, key: 'needed', hasValue: true };
const FLUSH: Shape = { extrasBytes: 4, mayLackExtras: true, key: 'none' };
const SASL: Shape = { extrasBytes: 0, key: 'needed', hasValue: true };
const ANYTHING: Shape = { extrasBytes: 'any', key: 'optional', hasValue: true };

function get(withKey: boolean, isQuiet: boolean): Retrieval {
  return { ...KEY_ONLY, kind: 'retrieval', withKey, isQuiet, touches: false };
}

function gat(withKey: boolean, isQuiet: boolean): Retrieval {
  return { ...WITH_TIME, kind: 'retrieval', withKey, isQuiet, touches: true };
}

function refused(shape: Shape, status: ErrorStatus, ...counters: CounterName[]): Refused {
  return { ...shape, kind: 'refused', status, counters, isSilent: false };
}

/** A write, counted under the name that the text protocol has for it. */
function write(
  name:
    | 'set'
    | 'add'
    | 'replace'
    | 'append'
    | 'prepend'
    | 'delete'
    | 'incr'
    | 'decr'
    | 'touch'
    | 'flush_all',
  shape: Shape,
  status: ErrorStatus,
  ...counters: CounterName[]
): Refused {
  return { ...refused(shape, status, `refused_${name}`, ...counters), write: name };
}

/**
 * A quiet command hides its success only, and memcached sends the failures. libmemcached throws
 * those of quiet stores away, but takes those of other quiet writes for the answer to its next
 * command, and from then on hands out values under the wrong keys. Here every write fails, so these
 * stay silent, as they would in the text protocol under `noreply`.
 */
function silent(command: Refused): Refused {
  return { ...command, isSilent: true };
}

const SET_REFUSED = write('set', STORE, STATUS.notStored, 'cmd_set');
const ADD_REFUSED = write('add', STORE, STATUS.notStored, 'cmd_set');
const REPLACE_REFUSED = write('replace', STORE, STATUS.notStored, 'cmd_set');
const APPEND_REFUSED = write('append', EXTEND, STATUS.notStored, 'cmd_set');
const PREPEND_REFUSED = write('prepend', EXTEND, STATUS.notStored, 'cmd_set');
const DELETE_REFUSED = write('delete', KEY_ONLY, STATUS.keyNotFound, 'delete_misses');
const INCREMENT_REFUSED = write('incr', ARITHMETIC, STATUS.keyNotFound, 'incr_misses');
const DECREMENT_REFUSED = write('decr', ARITHMETIC, STATUS.keyNotFound, 'decr_misses');
const TOUCH_REFUSED = write('touch', WITH_TIME, STATUS.keyNotFound, 'cmd_touch', 'touch_misses');

/**
 * memcached with its flush turned off reports 0x20, authentication error, upon which memjs and
 * libmemcached drop the connection. "Not stored" is the one error that no client punishes.
 */
const FLUSH_REFUSED = write('flush_all', FLUSH, STATUS.notStored, 'cmd_flush');

/** The commands of SASL, as a memcached answers them that runs without it. */
const SASL_UNKNOWN = refused(SASL, STATUS.unknownCommand, 'protocol_errors');
const SASL_LIST_UNKNOWN = refused(BARE, STATUS.unknownCommand, 'protocol_errors');

/** A command that memcached does not know either; `verbosity` (0x1b) is one. */
const UNKNOWN = refused(ANYTHING, STATUS.unknownCommand, 'protocol_errors');

const COMMANDS: readonly (readonly [opcode: number, command: Command])[] = [
  [OPCODE.get, get(false, false)],
  [OPCODE.getq, get(false, true)],
  [OPCODE.getk, get(true, false)],
  [OPCODE.getkq, get(true, true)],
  [OPCODE.gat, gat(false, false)],
  [OPCODE.gatq, gat(false, true)],
  [OPCODE.gatk, gat(true, false)],
  [OPCODE.gatkq, gat(true, true)],
  [OPCODE.noop, { ...BARE, kind: 'noop' }],
  [OPCODE.version, { ...BARE, kind: 'version' }],
  [OPCODE.stat, { extrasBytes: 0, key: 'optional', kind: 'stat' }],
  [OPCODE.quit, { ...BARE, kind: 'quit' }],
  [OPCODE.quitq, { ...BARE, kind: 'quitq' }],
  [OPCODE.set, SET_REFUSED],
  [OPCODE.setq, SET_REFUSED],
  [OPCODE.add, ADD_REFUSED],
  [OPCODE.addq, ADD_REFUSED],
  [OPCODE.replace, REPLACE_REFUSED],
  [OPCODE.replaceq, REPLACE_REFUSED],
  [OPCODE.append, APPEND_REFUSED],
  [OPCODE.appendq, APPEND_REFUSED],
  [OPCODE.prepend, PREPEND_REFUSED],
  [OPCODE.prependq, PREPEND_REFUSED],
  [OPCODE.delete, DELETE_REFUSED],
  [OPCODE.deleteq, silent(DELETE_REFUSED)],
  [OPCODE.increment, INCREMENT_REFUSED],
  [OPCODE.incrementq, silent(INCREMENT_REFUSED)],
  [OPCODE.decrement, DECREMENT_REFUSED],
  [OPCODE.decrementq, silent(DECREMENT_REFUSED)],
  [OPCODE.touch, TOUCH_REFUSED],
  [OPCODE.flush, FLUSH_REFUSED],
  [OPCODE.flushq, silent(FLUSH_REFUSED)],
  [OPCODE.saslListMechs, SASL_LIST_UNKNOWN],
  [OPCODE.saslAuth, SASL_UNKNOWN],
  [OPCODE.saslStep, SASL_UNKNOWN],
];

const BY_OPCODE: readonly Command[] = COMMANDS.reduce((table, [opcode, command]) => {
  table[opcode] = command;
  return table;
}, new Array<Command>(256).fill(UNKNOWN));

/** @param opcode A byte. */
export function commandOf(opcode: number): Command {
  return BY_OPCODE[opcode];
}

/**
 * What is wrong with the lengths of a request, so that the connection must end: what follows could
 * be anything. The checks come in memcached's order.
 *
 * @returns undefined for a well-formed request.
 */
export function faultOf(
  command: Command,
  keyBytes: number,
  extrasBytes: number,
  bodyBytes: number,
): ErrorStatus | undefined {
  const valueBytes = bodyBytes - keyBytes - extrasBytes;
  if (valueBytes < 0) return STATUS.unknownCommand;
  if (keyBytes > ASKED_KEY_BYTES_MAX) return STATUS.invalidArguments;
  const { key } = command;
  const isWellFormed =
    hasItsExtras(command, extrasBytes) &&
    (key === 'optional' || (key === 'needed') === keyBytes > 0) &&
    (valueBytes === 0 || command.hasValue === true);
  if (!isWellFormed) return STATUS.invalidArguments;
  return bodyBytes > BODY_BYTES_MAX ? STATUS.tooLarge : undefined;
}

function hasItsExtras(shape: Shape, extrasBytes: number): boolean {
  return (
    shape.extrasBytes === extrasBytes ||
    shape.extrasBytes === 'any' ||
    (extrasBytes === 0 && shape.mayLackExtras === true)
  );
}
