import type { Entry } from '../../storage/storage.ts';
import type { Stat } from '../counters.ts';
import type { Reply } from '../reply.ts';
import {
  ERROR_TEXT,
  type ErrorStatus,
  FIELD,
  HEADER_BYTES,
  OPCODE,
  RESPONSE_MAGIC,
  STATUS,
} from './packet.ts';

/** The extras of a hit: the client flags. */
const FLAGS_BYTES = 4;

/**
 * Where a header is put together, with the flags behind it, before it is copied into the reply.
 * There is one for all sessions of a thread, as no call leaves anything in it.
 */
const scratch = Buffer.alloc(HEADER_BYTES + FLAGS_BYTES);
scratch[0] = RESPONSE_MAGIC;

/**
 * Sets the header; data type and cas are 0.
 *
 * @param opaque What the client sent in this field, as a signed number.
 */
function setHeader(
  opcode: number,
  opaque: number,
  status: number,
  extrasBytes: number,
  keyBytes: number,
  bodyBytes: number,
): void {
  scratch[FIELD.opcode] = opcode;
  scratch.writeUInt16BE(keyBytes, FIELD.keyBytes);
  scratch[FIELD.extrasBytes] = extrasBytes;
  scratch.writeUInt16BE(status, FIELD.status);
  scratch.writeUInt32BE(bodyBytes, FIELD.bodyBytes);
  scratch.writeInt32BE(opaque, FIELD.opaque);
  setCas(0);
}

/** @param cas An integer from 0 to 2^53 - 1. */
function setCas(cas: number): void {
  scratch.writeUInt32BE(Math.floor(cas / 2 ** 32), FIELD.cas);
  scratch.writeInt32BE(cas | 0, FIELD.cas + 4);
}

/** Appends a success without content. */
export function appendSuccess(reply: Reply, opcode: number, opaque: number): void {
  setHeader(opcode, opaque, STATUS.success, 0, 0, 0);
  reply.copy(scratch, 0, HEADER_BYTES);
}

/** Appends a success with a text of Latin-1 characters. */
export function appendText(reply: Reply, opcode: number, opaque: number, text: string): void {
  setHeader(opcode, opaque, STATUS.success, 0, 0, text.length);
  reply.copy(scratch, 0, HEADER_BYTES);
  reply.text(text);
}

/** Appends an error with its text. */
export function appendError(
  reply: Reply,
  opcode: number,
  opaque: number,
  status: ErrorStatus,
): void {
  const text = ERROR_TEXT[status];
  setHeader(opcode, opaque, status, 0, 0, text.length);
  reply.copy(scratch, 0, HEADER_BYTES);
  reply.text(text);
}

/**
 * Appends a hit: flags, the key when it was asked for, value.
 *
 * @param key Memory that holds the key to send in [keyStart, keyEnd), which is empty for none.
 */
export function appendHit(
  reply: Reply,
  opcode: number,
  opaque: number,
  entry: Entry,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
): void {
  const { valueStart, valueEnd } = entry;
  const keyBytes = keyEnd - keyStart;
  const bodyBytes = FLAGS_BYTES + keyBytes + valueEnd - valueStart;
  setHeader(opcode, opaque, STATUS.success, FLAGS_BYTES, keyBytes, bodyBytes);
  setCas(entry.cas);
  scratch.writeUInt32BE(entry.flags, HEADER_BYTES);
  reply.copy(scratch, 0, HEADER_BYTES + FLAGS_BYTES);
  reply.copy(key, keyStart, keyEnd);
  reply.lend(entry, valueStart, valueEnd);
}

/** Appends a miss that names the key key[keyStart, keyEnd); it has no text then. */
export function appendMissWithKey(
  reply: Reply,
  opcode: number,
  opaque: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
): void {
  const keyBytes = keyEnd - keyStart;
  setHeader(opcode, opaque, STATUS.keyNotFound, 0, keyBytes, keyBytes);
  reply.copy(scratch, 0, HEADER_BYTES);
  reply.copy(key, keyStart, keyEnd);
}

/** Appends a packet for each line, and the empty one that ends them. */
export function appendStats(reply: Reply, opaque: number, stats: readonly Stat[]): void {
  for (const [name, value] of stats) {
    const text = String(value);
    setHeader(OPCODE.stat, opaque, STATUS.success, 0, name.length, name.length + text.length);
    reply.copy(scratch, 0, HEADER_BYTES);
    reply.text(name);
    reply.text(text);
  }
  appendSuccess(reply, OPCODE.stat, opaque);
}
