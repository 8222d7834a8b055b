import { digitsOf } from '../../storage/record.ts';
import type { Entry } from '../../storage/storage.ts';
import type { Lent, Reply } from '../reply.ts';

/** Replies in RESP2 and RESP3 (https://github.com/redis/redis-specifications). */

/** The version of the protocol that a client has chosen with HELLO. */
export type RespVersion = 2 | 3;

const DOLLAR = Buffer.from('$');
const CRLF = Buffer.from('\r\n');
const NULL_2 = Buffer.from('$-1\r\n');
const NULL_3 = Buffer.from('_\r\n');

export function appendSimple(reply: Reply, text: string): void {
  reply.text(`+${text}\r\n`);
}

/** An error must be one line, whatever it repeats of a request. */
export function appendError(reply: Reply, text: string): void {
  reply.text(`-${text.replaceAll(/[\r\n]/g, ' ')}\r\n`);
}

export function appendInteger(reply: Reply, value: number): void {
  reply.text(`:${value}\r\n`);
}

export function appendNull(reply: Reply, resp: RespVersion): void {
  const text = resp === 3 ? NULL_3 : NULL_2;
  reply.copy(text, 0, text.length);
}

/** What EXEC answers when what was watched has changed. */
export function appendNullArray(reply: Reply, resp: RespVersion): void {
  if (resp === 3) appendNull(reply, resp);
  else reply.text('*-1\r\n');
}

/**
 * Appends the bytes [start, end) of memory that must not change until they are sent, as a bulk
 * string.
 */
export function appendBulk(reply: Reply, source: Lent, start: number, end: number): void {
  reply.copy(DOLLAR, 0, 1);
  reply.decimal(end - start);
  reply.copy(CRLF, 0, 2);
  reply.lend(source, start, end);
  reply.copy(CRLF, 0, 2);
}

/** As `appendBulk` of bytes that may change once this returns, such as the input. */
export function appendBulkCopy(reply: Reply, source: Buffer, start: number, end: number): void {
  reply.copy(DOLLAR, 0, 1);
  reply.decimal(end - start);
  reply.copy(CRLF, 0, 2);
  reply.copy(source, start, end);
  reply.copy(CRLF, 0, 2);
}

/** Appends Latin-1 text as a bulk string. */
export function appendBulkText(reply: Reply, text: string): void {
  reply.text(`$${text.length}\r\n${text}\r\n`);
}

export function appendValue(reply: Reply, entry: Entry): void {
  const { valueStart, valueEnd } = entry;
  if (entry.wireStart < 0) {
    appendBulk(reply, entry, valueStart, valueEnd);
    return;
  }
  // What memcached's wire form has around a value, `<bytes>\r\n` and `\r\n`, is RESP's as well:
  // the reply is one copy, or none for a large value.
  reply.copy(DOLLAR, 0, 1);
  reply.lend(entry, valueStart - 2 - digitsOf(valueEnd - valueStart), valueEnd + 2);
}

/** Begins an array of so many elements. */
export function appendArray(reply: Reply, elements: number): void {
  reply.text(`*${elements}\r\n`);
}

/** Begins a map of so many pairs; in RESP2 it is an array of twice as many elements. */
export function appendMap(reply: Reply, resp: RespVersion, pairs: number): void {
  reply.text(resp === 3 ? `%${pairs}\r\n` : `*${pairs * 2}\r\n`);
}

/** Begins a set of so many elements. */
export function appendSet(reply: Reply, resp: RespVersion, elements: number): void {
  reply.text(resp === 3 ? `~${elements}\r\n` : `*${elements}\r\n`);
}

/** Appends text for people to read. */
export function appendVerbatim(reply: Reply, resp: RespVersion, text: string): void {
  if (resp === 3) reply.text(`=${text.length + 4}\r\ntxt:${text}\r\n`);
  else appendBulkText(reply, text);
}

/** Begins what nobody asked for, of so many elements; in RESP2 it is an array. */
export function appendPush(reply: Reply, resp: RespVersion, elements: number): void {
  reply.text(resp === 3 ? `>${elements}\r\n` : `*${elements}\r\n`);
}
