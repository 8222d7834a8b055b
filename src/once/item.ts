import { GoromdbError } from '../common/errors.ts';
import type { KeyValue } from '../etcd/etcd.ts';
import { keyText } from '../inspect/key-text.ts';
import { KEY_BYTES_MAX, TYPE_BYTES_MAX, VALUE_BYTES_MAX } from './limits.ts';
import type { Creation, Item, Reading, Wish } from './once.ts';

/** The first byte of what etcd keeps: a later form would have another one. */
const FORM = 1;
/** The form, the flags, and the length of the type. */
const HEAD_BYTES = 6;

const CONTROL = /\p{Cc}/u;
/** Of a content type: what may stand in a header. */
const TYPE = /^[\x20-\x7e]*$/;

/** Of a key in a message: our own are shorter, with any usual prefix. */
const KEY_SHOWN_BYTES_MAX = 1_024;

/** What is read of a key in etcd. */
type Kept = Pick<KeyValue, 'key' | 'value' | 'createRevision'>;

/** What etcd keeps under a key: form, flags, type, value. */
export function encodeItem({ value, flags, type }: Omit<Item, 'revision'>): Buffer {
  const head = Buffer.alloc(HEAD_BYTES + type.length);
  head[0] = FORM;
  head.writeUInt32BE(flags, 1);
  head[5] = type.length;
  head.write(type, HEAD_BYTES, 'latin1');
  return Buffer.concat([head, value]);
}

/** @throws GoromdbError DATA_CORRUPT, with the key, when another program has written it. */
export function decodeItem({ key, value: bytes, createRevision: revision }: Kept): Item {
  const valueStart = HEAD_BYTES + (bytes[5] ?? 0);
  const isWhole = bytes[0] === FORM && bytes.length >= valueStart;
  const type = bytes.toString('latin1', HEAD_BYTES, valueStart);
  if (!isWhole || !TYPE.test(type)) {
    const message = `etcd: key ${keyText(key.subarray(0, KEY_SHOWN_BYTES_MAX))}: expected a value of goromdb once, found another form (${bytes.length} B); nothing else may write below its prefix`;
    throw new GoromdbError('DATA_CORRUPT', message);
  }
  return {
    flags: bytes.readUInt32BE(1),
    type,
    value: bytes.subarray(valueStart),
    revision,
  };
}

/** The type is not compared: the first one stays. */
export function isSame(item: Item, wish: Omit<Item, 'revision'>): boolean {
  return item.flags === wish.flags && item.value.equals(wish.value);
}

/** What comes of a creation whose key is there already. */
export function compared(wish: Wish, reading: Exclude<Reading, { kind: 'absent' }>): Creation {
  if (reading.kind === 'unavailable') return reading;
  const { item } = reading;
  return { kind: isSame(item, wish) ? 'same' : 'conflict', item };
}

/** What is wrong with a key; undefined: nothing. */
export function keyFault(key: Buffer): string | undefined {
  if (key.length === 0 || key.length > KEY_BYTES_MAX) {
    return `expected a key of 1 to ${KEY_BYTES_MAX} bytes, found ${key.length}`;
  }
  const text = key.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(key)) return 'expected a key in UTF-8, found other bytes';
  if (CONTROL.test(text)) return 'expected a key without control characters, found one';
  return undefined;
}

/** What is wrong with a value or its type; undefined: nothing. */
export function wishFault({ value, type }: Wish): string | undefined {
  if (value.length > VALUE_BYTES_MAX) {
    return `expected a value of at most ${VALUE_BYTES_MAX} bytes, found ${value.length}`;
  }
  if (type.length > TYPE_BYTES_MAX || !TYPE.test(type)) {
    return `expected a content type of at most ${TYPE_BYTES_MAX} visible ASCII characters`;
  }
  return undefined;
}
