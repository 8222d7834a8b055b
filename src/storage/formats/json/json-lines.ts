import { NameList, printable } from '../../scanners/name-list.ts';
import {
  type FieldOptions,
  KEY_BYTES_MAX,
  type RecordSink,
  VALUE_BYTES_MAX,
} from '../../scanners/scanner.ts';
import { quoteText, skipBlank } from './json-bytes.ts';
import { JsonReader, type JsonReaderOptions, namePlace } from './json-reader.ts';
import { JsonSkip } from './json-skip.ts';
import type { JsonString } from './json-string.ts';

/** Longest name of a field in bytes. */
export const NAME_BYTES_MAX = 256;

/** What the fields are called when nothing is said. */
export const DEFAULT_FIELDS: FieldOptions = { key: 'key', value: 'value' };

/** Fields beside those, when nothing is said: bytes that are no text, and memcached's client flags. */
const KEY_BASE64 = Buffer.from('keyBase64');
const VALUE_BASE64 = Buffer.from('valueBase64');
const FLAGS = Buffer.from('flags');

const FLAGS_MAX = 2 ** 32 - 1;

/** A record that has more fields than it may is refused at this one, others at their end. */
const OTHERS_MAX = 100;

const LEFT_BRACE = 0x7b;
const RIGHT_BRACE = 0x7d;
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const LF = 0x0a;
const TAB = 0x09;
const CR = 0x0d;
const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;

/** Where in the text the next byte is, and what may be there. */
const EXPECTED = {
  'in-name': 'the closing quote of the name',
  colon: 'a colon after the name',
  content: 'a string',
  'in-content': 'the closing quote of the string',
  flags: `client flags, a whole number from 0 to ${FLAGS_MAX}`,
  'in-flags': `client flags, a whole number from 0 to ${FLAGS_MAX}`,
  next: 'a comma or "}"',
  'line-end': 'the end of the line after the record',
} as const;

type State = keyof typeof EXPECTED | 'line' | 'first' | 'name' | 'other';

export interface JsonLinesOptions extends JsonReaderOptions {
  readonly fields?: FieldOptions | undefined;
  /** Number of the first line. Default: 1. */
  readonly line?: number | undefined;
}

/** A field that a record should not have. */
interface Surplus {
  readonly name: string;
  readonly place: string;
  /** Of all fields of the record so far. */
  readonly names: NameList;
}

/**
 * Reads JSON Lines: on each line one object with two strings, `key` and `value` or as
 * `options.fields` calls them, in any order. Other fields are passed over or refused. Empty lines
 * are passed over; a line end is LF or CRLF, and the last may be missing.
 *
 * Without `options.fields` there may be `keyBase64` and `valueBase64` in their place, and `flags`: so
 * any record has a line, as `goromdb dump` writes it.
 */
export class JsonLines extends JsonReader {
  readonly #fields: FieldOptions;
  readonly #keyName: Buffer;
  readonly #valueName: Buffer;
  readonly #name: JsonString;
  /** A string in a field that is passed over. */
  readonly #passed: JsonString;
  readonly #keyBase64: JsonString;
  readonly #valueBase64: JsonString;
  /** What holds key and value of the record at hand. */
  #keyString: JsonString;
  #valueString: JsonString;
  #flags = 0;
  #hasFlags = false;
  readonly #skip = new JsonSkip();
  /** The first field that this record should not have, reported when all are known. */
  #surplus: Surplus | undefined;
  #state: State = 'line';
  #line: number;
  #records = 0;
  /** Names that the record at hand has shown. */
  #names = 0;
  #recordOffset = 0;
  /** What the name at hand means. */
  #member: 'key' | 'value' | 'flags' | 'other' = 'key';
  #hasKey = false;
  #hasValue = false;

  constructor(sink: RecordSink, options: JsonLinesOptions) {
    super(sink, options);
    this.#fields = options.fields ?? DEFAULT_FIELDS;
    this.#keyName = Buffer.from(this.#fields.key);
    this.#valueName = Buffer.from(this.#fields.value);
    this.#name = this.createString('name', NAME_BYTES_MAX);
    this.#line = options.line ?? 1;
    const { keyBytesMax = KEY_BYTES_MAX, valueBytesMax = VALUE_BYTES_MAX } = options;
    this.#passed = this.createString('string', valueBytesMax);
    this.#keyBase64 = this.createString('key in base64', base64Bytes(keyBytesMax));
    this.#valueBase64 = this.createString('value in base64', base64Bytes(valueBytesMax));
    this.#keyString = this.key;
    this.#valueString = this.value;
  }

  /** Records that were read to their end. */
  get records(): number {
    return this.#records;
  }

  /** Whether both names of a record were read, and no other. */
  get hasNames(): boolean {
    return this.#names === 2 && this.#surplus === undefined;
  }

  protected skip(chunk: Uint8Array, at: number): number {
    const isInNumber = this.#state === 'in-flags';
    const isInLiteral = this.#state === 'other' && this.#skip.isInLiteral;
    return isInNumber || isInLiteral ? at : skipBlank(chunk, at);
  }

  protected step(byte: number, at: number): void {
    if (this.#state === 'other' && this.#stepOther(byte, at)) return;
    const before = this.#state;
    if ((before === 'flags' || before === 'in-flags') && this.#stepFlags(byte, at)) return;
    const state = this.#state;
    if (byte === LF && (state === 'line' || state === 'line-end')) {
      this.#line++;
      this.#state = 'line';
    } else if (byte === LEFT_BRACE && state === 'line') {
      this.#recordOffset = this.offset + at;
      this.#hasKey = false;
      this.#hasValue = false;
      this.#hasFlags = false;
      this.#flags = 0;
      this.#names = 0;
      this.#state = 'first';
    } else if (byte === QUOTE && (state === 'first' || state === 'name')) {
      this.beginString(this.#name, at);
      this.#state = 'in-name';
    } else if (byte === COLON && state === 'colon') {
      const member = this.#member;
      if (member === 'other') this.#skip.begin();
      this.#state = member === 'other' || member === 'flags' ? member : 'content';
    } else if (byte === QUOTE && state === 'content') {
      this.beginString(this.#member === 'key' ? this.#keyString : this.#valueString, at);
      this.#state = 'in-content';
    } else if (byte === COMMA && state === 'next') {
      this.#state = 'name';
    } else if (byte === RIGHT_BRACE && state === 'next') {
      this.#endRecord(at);
    } else if (byte === LF) {
      this.refuse('DATA_CORRUPT', at, this.expected(), 'the end of the line');
    } else {
      this.refuseByte(byte, at);
    }
  }

  protected endString(string: JsonString): void {
    if (string === this.#name) {
      this.#takeName();
      this.#state = 'colon';
      return;
    }
    if (string === this.#passed) {
      this.#skip.endString();
      this.#state = this.#skip.isDone ? 'next' : 'other';
      return;
    }
    const isBase64 = string === this.#keyBase64 || string === this.#valueBase64;
    if (isBase64 && !string.decode()) this.refuseString('DATA_CORRUPT', 'base64', 'no such text');
    if (string === this.#keyString) this.#hasKey = true;
    else this.#hasValue = true;
    this.#state = 'next';
  }

  protected keep(): void {
    if (this.#isInRecord() && this.#hasKey) this.#keyString.keep();
    if (this.#isInRecord() && this.#hasValue) this.#valueString.keep();
  }

  protected isComplete(): boolean {
    return this.#records > 0 && !this.#isInRecord();
  }

  protected expected(): string {
    const key = printable(this.#fields.key);
    const value = printable(this.#fields.value);
    const names = this.#fields.ignoreOthers ? 'a name' : `the name ${key} or ${value}`;
    switch (this.#state) {
      case 'line':
        return `a record, {${key}:"...",${value}:"..."}`;
      case 'first':
        return `${names} in quotes`;
      case 'name':
        return `${names} in quotes after the comma`;
      case 'other':
        return this.#skip.expected;
      default:
        return EXPECTED[this.#state];
    }
  }

  protected place(): string {
    const hasKey = this.#hasKey && this.#isInRecord();
    return `, line ${this.#line}${hasKey ? namePlace('key', this.#keyString) : ''}`;
  }

  protected isStart(): boolean {
    return this.#state === 'line' && this.#records === 0;
  }

  protected isValueNext(): boolean {
    return this.#state === 'content' || this.#state === 'line';
  }

  #isInRecord(): boolean {
    return this.#state !== 'line' && this.#state !== 'line-end';
  }

  /** @returns Whether a field that is passed over goes on with the byte. */
  #stepOther(byte: number, at: number): boolean {
    const step = this.#skip.step(byte);
    if (step === 'string') this.beginString(this.#passed, at);
    if (step === 'wrong') return false;
    if (this.#skip.isDone) this.#state = 'next';
    return step !== 'before';
  }

  /** @returns Whether a number of flags begins or goes on with the byte. */
  #stepFlags(byte: number, at: number): boolean {
    const isFirst = this.#state === 'flags';
    const isDigit = byte >= ZERO && byte <= NINE;
    if (!isFirst && !isDigit) {
      this.#state = 'next';
      return byte === SPACE || byte === TAB || byte === CR;
    }
    const flags = this.#flags * 10 + byte - ZERO;
    // No leading zeros: RFC 8259 section 6.
    if (!isDigit || flags > FLAGS_MAX || (!isFirst && this.#flags === 0)) this.refuseByte(byte, at);
    this.#flags = flags;
    this.#state = 'in-flags';
    return true;
  }

  #takeName(): void {
    const { bytes, start, end } = this.#name;
    if (isName(this.#keyName, bytes, start, end)) this.#takeKey(this.key);
    else if (isName(this.#valueName, bytes, start, end)) this.#takeValue(this.value);
    else this.#takeOther(bytes, start, end);
  }

  /** @param string Where the key goes. */
  #takeKey(string: JsonString): void {
    if (this.#hasKey) this.#refuseRepeated(this.#fields.key);
    this.#member = 'key';
    this.#keyString = string;
    this.#names++;
    this.#surplus?.names.add(this.#keyName);
  }

  /** @param string Where the value goes. */
  #takeValue(string: JsonString): void {
    if (this.#hasValue) this.#refuseRepeated(this.#fields.value);
    this.#member = 'value';
    this.#valueString = string;
    this.#names++;
    this.#surplus?.names.add(this.#valueName);
  }

  #takeOther(bytes: Uint8Array, start: number, end: number): void {
    const isAny = this.#fields === DEFAULT_FIELDS;
    if (isAny && isName(KEY_BASE64, bytes, start, end)) this.#takeKey(this.#keyBase64);
    else if (isAny && isName(VALUE_BASE64, bytes, start, end)) this.#takeValue(this.#valueBase64);
    else if (isAny && isName(FLAGS, bytes, start, end)) {
      if (this.#hasFlags) this.#refuseRepeated('flags');
      this.#member = 'flags';
      this.#hasFlags = true;
    } else {
      this.#member = 'other';
      if (!this.#fields.ignoreOthers) this.#noteSurplus(bytes.subarray(start, end));
    }
  }

  #refuseRepeated(name: string): never {
    const found = `the name ${printable(name)} a second time`;
    this.refuseString('DATA_CORRUPT', 'each name once', found);
  }

  #noteSurplus(name: Uint8Array): void {
    if (this.#surplus === undefined) {
      const names = new NameList();
      if (this.#hasKey) names.add(this.#keyName);
      if (this.#hasValue) names.add(this.#valueName);
      const place = this.placeAt(this.stringOffset);
      this.#surplus = { name: quoteText(name, 0, name.length), place, names };
    }
    this.#surplus.names.add(Buffer.from(name));
    if (this.#surplus.names.count > OTHERS_MAX) this.#refuseSurplus(this.#surplus);
  }

  #refuseSurplus({ name, place, names }: Surplus): never {
    const { key, value } = this.#fields;
    const ignore = 'leave the others out with -jsonl-ignore';
    const naming =
      'name the key and the value: with -jsonl-key and -jsonl-value of the server, or -key and -value of build, publish and serve';
    const both = names.count > 2 ? `${naming}, and ${ignore}` : naming;
    const found = `the name ${name}; it looks like JSON Lines with ${names}`;
    const expected = `only the names ${printable(key)} and ${printable(value)}`;
    const advice = this.#names === 2 ? ignore : both;
    this.refuseAt('FORMAT_UNSUPPORTED', place, expected, `${found}: ${advice}`);
  }

  #endRecord(at: number): void {
    if (this.#surplus !== undefined) this.#refuseSurplus(this.#surplus);
    if (!this.#hasKey || !this.#hasValue) {
      const missing = printable(this.#hasKey ? this.#fields.value : this.#fields.key);
      this.refuse('DATA_CORRUPT', at, `a comma and ${missing}`, 'the end of the record');
    }
    this.#records++;
    this.emit(this.#recordOffset, this.#keyString, this.#valueString, this.#flags);
    this.#state = 'line-end';
  }
}

/** Bytes that so many take in base64. */
function base64Bytes(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

/** A loop, as this is done twice a record. */
function isName(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}
