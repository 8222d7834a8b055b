import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { GoromdbError, isBadFile } from '../../../src/common/errors.ts';
import { jsonLinesScanner, jsonScanner } from '../../../src/storage/formats/json/json.ts';
import type { Scanner, ScanOptions } from '../../../src/storage/scanners/scanner.ts';
import { FIRST_SEED, MUTANTS, mutate } from '../../support/mutants.ts';
import { Random } from '../../support/random-bytes.ts';
import { type Records, ScratchFile } from '../../support/scratch-file.ts';
import { oracle, parsed } from './json-texts.ts';

/** Texts are short and quick to read. */
const TEXT_MUTANTS = 10 * MUTANTS;

let file: ScratchFile;
afterEach(() => file.close());

const RECORDS = { a: '1', 'b"': 'é\n', 'key:3': 'x'.repeat(40), '': '', '🚀': '\u0000"\\' };
const text = (value: unknown, indent?: number): Buffer =>
  Buffer.from(JSON.stringify(value, undefined, indent));

/** What must come out of a text, in UTF-8; undefined: it must be refused. */
type Oracle = (bytes: Buffer) => Map<string, string> | undefined;

/** As `oracle`, for an object of objects. */
function namespaced(bytes: Buffer): Map<string, string> | undefined {
  const namespaces = parsed(bytes);
  if (namespaces === undefined) return undefined;
  const all = new Map<string, string>();
  for (const [name, object] of Object.entries(namespaces)) {
    const records = oracle(text(object));
    if (records === undefined || name.includes(':')) return undefined;
    for (const [key, value] of records) all.set(`${name}:${key}`, value);
  }
  return all;
}

function lines(bytes: Buffer): Map<string, string> | undefined {
  const all = new Map<string, string>();
  for (const line of bytes
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .split('\n')) {
    if (/^[ \t\r]*$/.test(line)) continue;
    const record = oracle(Buffer.from(line, 'latin1'));
    if (record?.size !== 2 || !record.has('key') || !record.has('value')) return undefined;
    all.set(record.get('key')!, record.get('value')!);
  }
  return all.size === 0 ? undefined : all;
}

function unpacked(bytes: Buffer): Map<string, string> | undefined {
  try {
    return oracle(gunzipSync(bytes));
  } catch {
    return undefined;
  }
}

const LINES = Object.entries(RECORDS).map(([key, value]) => JSON.stringify({ key, value }));
const NAMESPACES = { namespaces: { delimiter: ':' } };

it.each<[string, Scanner, Buffer, Partial<ScanOptions>, Oracle]>([
  ['an object', jsonScanner, text(RECORDS), {}, oracle],
  ['an indented object', jsonScanner, text(RECORDS, 1), {}, oracle],
  ['an object of objects', jsonScanner, text({ a: RECORDS, b: {} }), NAMESPACES, namespaced],
  ['JSON Lines', jsonLinesScanner, Buffer.from(LINES.join('\n')), {}, lines],
  ['an object in gzip', jsonScanner, gzipSync(text(RECORDS)), { gzipped: true }, unpacked],
])(
  `gives what JSON.parse gives or a typed error for ${TEXT_MUTANTS} mutants of %s`,
  async (name, scanner, original, options, expectedOf) => {
    file = new ScratchFile(scanner);
    const counts = { same: 0, refused: 0 };
    for (let seed = FIRST_SEED; seed < FIRST_SEED + TEXT_MUTANTS; seed++) {
      const title = `SEED=${seed} of ${name}`;
      const bytes = mutate(original, original.length, new Random(seed));
      const records: Records = [];
      try {
        await file.scanTo(records, bytes, options);
      } catch (error) {
        counts.refused++;
        if (error instanceof GoromdbError && isBadFile(error)) continue;
        throw new Error(title, { cause: error });
      }
      counts.same++;
      const utf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString();
      const found = new Map(records.map(([key, value]) => [utf8(key), utf8(value)]));
      expect(found, title).toEqual(expectedOf(bytes));
    }
    // Else it would say nothing.
    expect(counts.same).toBeGreaterThan(TEXT_MUTANTS / 200);
    expect(counts.refused).toBeGreaterThan(TEXT_MUTANTS / 10);
  },
);
