import { readAt } from '../scanners/page-file.ts';
import type { ScanInput } from '../scanners/scanner.ts';
import { looksLikeTable } from '../table/table-layout.ts';
import { JsonLines } from './json/json-lines.ts';

/** As many bytes as are looked at: magic numbers lie in the first 64, and a record of JSON Lines. */
export const HEAD_BYTES = 64 * 1024;

/** How files of JSON Lines are called, packed or not. */
const LINES_NAME = /\.(?:jsonl|ndjson)(?:\.\w+)?(?: \(unpacked\))?$/i;

/** Fields that a record has at most which is recognised by its names alone. */
const RECORD_FIELDS_MAX = 8;

/** What a file is, as its first bytes say; undefined: none of these. */
export interface Recognised {
  /** How it is packed. */
  readonly packing?: 'gzip' | 'zstd';
  /** Name of a scanner. */
  readonly format?: 'json' | 'jsonl' | 'table' | 'lmdb' | 'boltdb' | 'bdb';
}

/** Bytes that a head has at least for the magic numbers to be read. */
const MAGIC_BYTES = 64;

/** Looks at a file's first bytes. It proves nothing: that is for the scanner to do. */
export function recognise(input: ScanInput): Recognised {
  return recogniseNamed(headOf(input), input.path);
}

/** The first HEAD_BYTES of a file. */
export function headOf(input: ScanInput): Buffer {
  const head = Buffer.alloc(Math.min(HEAD_BYTES, input.size));
  readAt(input, head, 0, head.length, 0);
  return head;
}

/** As `recogniseHead`; one line of JSON by itself may be two things, and what it is called tells. */
export function recogniseNamed(head: Uint8Array, path: string): Recognised {
  const found = recogniseHead(head);
  return found.format === 'json' && LINES_NAME.test(path) ? { format: 'jsonl' } : found;
}

/**
 * As `recognise`.
 *
 * @param head The first HEAD_BYTES of a file, or all of a smaller one.
 */
export function recogniseHead(head: Uint8Array): Recognised {
  const magic = Buffer.alloc(MAGIC_BYTES);
  magic.set(head.subarray(0, MAGIC_BYTES));
  const word = (at: number): number => magic.readUInt32LE(at);
  // RFC 1952 section 2.3.1, RFC 8878 section 3.1.1.
  if (magic.readUInt16BE(0) === 0x1f8b) return { packing: 'gzip' };
  if (word(0) === 0xfd2fb528) return { packing: 'zstd' };
  // LMDB: MDB_meta.mm_magic, behind a page header of 16 bytes (v1) or 24 (v2).
  if (word(16) === 0xbeefc0de || word(24) === 0xbeefc0de) {
    return { format: looksLikeTable(head) ? 'table' : 'lmdb' };
  }
  // bbolt: meta.magic, behind a page header of 16 bytes.
  if (word(16) === 0xed0cdaed) return { format: 'boltdb' };
  // Berkeley DB: DBMETA.magic of a btree or hash file, in the byte order of its writer.
  if ([0x053162, 0x061561].some((it) => it === word(12) || it === magic.readUInt32BE(12))) {
    return { format: 'bdb' };
  }
  const start = Buffer.from(head.buffer, head.byteOffset, head.length).toString(
    'latin1',
    0,
    MAGIC_BYTES,
  );
  // RFC 8259 section 2: white space may come before the object; some editors put a BOM there. A NUL
  // behind the brace is half of a character of UTF-16.
  if (!/^(?:\u00ef\u00bb\u00bf)?[ \t\r\n]*\{(?!\0)/.test(start)) return {};
  return { format: beginsWithRecord(head) || beginsWithLine(head) ? 'jsonl' : 'json' };
}

/**
 * Whether a text begins with a record of JSON Lines, an object of "key" and "value" and nothing
 * else, or with as much of a long one as shows both names. As one object it would hold just two
 * records with these keys.
 */
function beginsWithRecord(head: Uint8Array): boolean {
  const lines = new JsonLines({ add: () => {} }, { path: '' });
  try {
    lines.write(head);
  } catch {
    // What follows the first record does not matter here.
    return lines.records > 0;
  }
  return lines.records > 0 || lines.hasNames;
}

/**
 * Whether the first line is an object by itself that no JSON object begins with: another one follows,
 * or it is all there is and has a key, a value and a few fields more.
 */
function beginsWithLine(head: Uint8Array): boolean {
  const text = Buffer.from(head.buffer, head.byteOffset, head.length).toString('utf8').trimStart();
  const end = text.indexOf('\n');
  const record = parseObject(end === -1 ? text : text.slice(0, end));
  if (record === undefined) return false;
  const rest = end === -1 ? '' : text.slice(end).trimStart();
  if (rest !== '') return rest.startsWith('{');
  const isText = (name: string): boolean => typeof record.get(name) === 'string';
  return isText('key') && isText('value') && record.size <= RECORD_FIELDS_MAX;
}

function parseObject(line: string): ReadonlyMap<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? new Map(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}
