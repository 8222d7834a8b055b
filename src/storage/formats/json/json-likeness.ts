/** Whether a text is a JSON object or JSON Lines, which both begin with a brace. */
import type { Hints } from '../../scanners/format.ts';
import { JsonLines } from './json-lines.ts';

/** How files of JSON Lines are called, compressed or not. */
const LINES_NAME = /\.(?:jsonl|ndjson)(?:\.\w+)?(?: \(decompressed\))?$/i;

/** Fields that a record has at most which is recognised by its names alone. */
const RECORD_FIELDS_MAX = 8;

/** Bytes that are searched for the first brace. */
const START_BYTES = 64;

/** @param head See `Format.recognise`. @returns undefined when it begins like neither. */
export function likenessOf(head: Buffer, { path, fields }: Hints): 'json' | 'jsonl' | undefined {
  const start = head.toString('latin1', 0, START_BYTES);
  // RFC 8259 section 2: white space may come before the object; some editors put a BOM there. A NUL
  // behind the brace is half of a character of UTF-16, and a page may begin with any number.
  if (!/^(?:\u00ef\u00bb\u00bf)?[ \t\r\n]*\{(?!\0)/.test(start)) return undefined;
  if (start.slice(0, 16).includes('\0\0\0\0')) return undefined;
  // One line by itself may be either: the file's name decides, and whether fields are named.
  const isLines = fields !== undefined || LINES_NAME.test(path);
  return isLines || beginsWithRecord(head) || beginsWithLine(head) ? 'jsonl' : 'json';
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
function beginsWithLine(head: Buffer): boolean {
  const text = head.toString().trimStart();
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
