import { commandOf, faultOf } from '../../protocol/binary/commands.ts';
import {
  FIELD,
  HEADER_BYTES,
  OPCODE,
  REQUEST_MAGIC,
  RESPONSE_MAGIC,
} from '../../protocol/binary/packet.ts';
import { keyFault } from '../item.ts';
import { VALUE_BYTES_MAX } from '../limits.ts';
import type { Creation } from '../once.ts';
import { PARTIAL, type Request, type RequestFinder, troubleOf } from './request.ts';

/** Statuses that only a server has which writes (memcached's protocol_binary.h). */
const TOO_LARGE = 0x0003;
const INVALID = 0x0004;
const NOT_STORED = 0x0005;
/** What `add` says of a key that is there. */
const EXISTS = 0x0002;
const TEMPORARY_FAILURE = 0x0086;

/** Flags and expiration time. */
const STORE_EXTRAS_BYTES = 8;

const { set, setq, add, addq } = OPCODE;
const STORES: readonly number[] = [set, setq, add, addq];

/** Requests of memcached's binary protocol. */
export const binaryRequests: RequestFinder = {
  readsEnd: retrievalsEnd,
  next(input) {
    if (input[0] !== REQUEST_MAGIC) return reading(input.length);
    if (input.length < HEADER_BYTES) return PARTIAL;
    const opcode = input[FIELD.opcode];
    const keyBytes = input.readUInt16BE(FIELD.keyBytes);
    const extrasBytes = input[FIELD.extrasBytes];
    const bodyBytes = input.readUInt32BE(FIELD.bodyBytes);
    const command = commandOf(opcode);
    // The session answers it, and ends the connection.
    if (faultOf(command, keyBytes, extrasBytes, bodyBytes) !== undefined) {
      return reading(HEADER_BYTES);
    }
    const bytes = HEADER_BYTES + bodyBytes;
    const keyStart = HEADER_BYTES + extrasBytes;
    const isSwap = input.readBigUInt64BE(FIELD.cas) !== 0n;
    if (!STORES.includes(opcode) || isSwap) return reading(bytes);
    return storing(input, keyStart, keyStart + keyBytes, bytes);
  },
};

function reading(bytes: number): Request {
  return { kind: 'session', bytes };
}

function retrievalsEnd(input: Buffer, start: number, end: number): number {
  let at = start;
  while (end - at >= HEADER_BYTES && input[at] === REQUEST_MAGIC) {
    const next = at + HEADER_BYTES + input.readUInt32BE(at + FIELD.bodyBytes);
    if (next > end || commandOf(input[at + FIELD.opcode]).kind !== 'retrieval') break;
    at = next;
  }
  return at;
}

function storing(input: Buffer, keyStart: number, keyEnd: number, bytes: number): Request {
  const head = Buffer.from(input.subarray(0, HEADER_BYTES));
  const say = (status: number, why: string): Request => {
    return { kind: 'say', bytes, text: packet(head, status, why) };
  };
  if (bytes - keyEnd > VALUE_BYTES_MAX) return say(TOO_LARGE, 'Too large.');
  if (input.length < bytes) return { kind: 'partial', needed: bytes };
  const key = Buffer.from(input.subarray(keyStart, keyEnd));
  const fault = keyFault(key);
  if (fault !== undefined) return say(INVALID, fault);
  if (input.readUInt32BE(keyStart - STORE_EXTRAS_BYTES + 4) !== 0) {
    return say(INVALID, 'keys never expire here: the expiration time must be 0');
  }
  const flags = input.readUInt32BE(keyStart - STORE_EXTRAS_BYTES);
  const value = Buffer.from(input.subarray(keyEnd, bytes));
  const wish = { key, value, flags, type: '' };
  return { kind: 'create', bytes, wish, answer: (creation) => answerOf(head, creation) };
}

function answerOf(head: Buffer, creation: Creation): Buffer {
  const opcode = head[FIELD.opcode];
  const { kind } = creation;
  const isSet = opcode === set || opcode === setq;
  if (kind === 'created' || (kind === 'same' && isSet)) {
    const isQuiet = opcode === setq || opcode === addq;
    return isQuiet ? Buffer.alloc(0) : packet(head, 0, '', creation.item?.revision);
  }
  if (kind === 'same' || kind === 'conflict') {
    return isSet
      ? packet(head, NOT_STORED, 'Not stored.')
      : packet(head, EXISTS, 'Data exists for key.');
  }
  return packet(head, TEMPORARY_FAILURE, troubleOf(creation));
}

/** @param head The header of the request. */
function packet(head: Buffer, status: number, text: string, cas = 0): Buffer {
  const answer = Buffer.alloc(HEADER_BYTES + Buffer.byteLength(text));
  answer[0] = RESPONSE_MAGIC;
  answer[FIELD.opcode] = head[FIELD.opcode];
  answer.writeUInt16BE(status, FIELD.status);
  answer.writeUInt32BE(answer.length - HEADER_BYTES, FIELD.bodyBytes);
  head.copy(answer, FIELD.opaque, FIELD.opaque, FIELD.opaque + 4);
  answer.writeBigUInt64BE(BigInt(cas), FIELD.cas);
  answer.write(text, HEADER_BYTES, 'utf8');
  return answer;
}
