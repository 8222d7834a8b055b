import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { open } from 'lmdb';
import { md5 } from '../support/drop.ts';
import type { Version } from './timeline.ts';

/** Keys that every version of the soak's own records has. */
export const KEYS = 20_000;

/** Bytes of a value at most, so that some are copied to the reply and some are not. */
const VALUE_BYTES_MAX = 20_000;

export function keyOf(number: number): string {
  return `soak:${number}`;
}

/** A value that contains its version and key; every 500th is a large one. */
export function recordValue(version: number, number: number): string {
  const length = number % 500 === 0 ? VALUE_BYTES_MAX : 20 + ((number * 7 + version) % 200);
  return `${version}:${number}:`.padEnd(length, 'x');
}

/** Records that each file of other programs has. */
export const FOREIGN_KEYS = 500;

/** A key of those files, counted from 1. The soak's own have none like it. */
export function foreignKey(number: number): string {
  return `key-${String(number).padStart(5, '0')}`;
}

/** The value behind such a key. */
export function foreignValue(key: string): string {
  return key.replace('key-', 'value-');
}

/** A file to drop. */
export interface SoakFile {
  readonly format: string;
  readonly version: Version;
  readonly bytes: Buffer;
  /** Its MD5. */
  readonly sum: string;
}

type Maker = (version: number) => Promise<Buffer>;

async function json(version: number): Promise<Buffer> {
  const records: Record<string, string> = {};
  for (let i = 0; i < KEYS; i++) records[keyOf(i)] = recordValue(version, i);
  return Buffer.from(JSON.stringify(records));
}

async function jsonLines(version: number): Promise<Buffer> {
  const lines = Array.from({ length: KEYS }, (_, i) =>
    JSON.stringify({ key: keyOf(i), value: recordValue(version, i) }),
  );
  return Buffer.from(`${lines.join('\n')}\n`);
}

async function lmdb(version: number): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'goromdb-soak-lmdb-'));
  const path = join(folder, 'data.db');
  try {
    const store = open({ path, noSubdir: true, encoding: 'binary', keyEncoding: 'binary' });
    store.transactionSync(() => {
      for (let i = 0; i < KEYS; i++) {
        void store.put(Buffer.from(keyOf(i)), Buffer.from(recordValue(version, i)));
      }
    });
    await store.close();
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const compressed =
  (make: Maker): Maker =>
  async (version) =>
    gzipSync(await make(version), { level: 1 });

const MAKERS: readonly (readonly [string, Maker])[] = [
  ['json', json],
  ['lmdb', lmdb],
  ['jsonl', jsonLines],
  ['json.gz', compressed(json)],
  ['lmdb.gz', compressed(lmdb)],
  ['jsonl.gz', compressed(jsonLines)],
];

/** Files of formats that only other programs write; their records are others. */
const FOREIGN = ['bolt/plain', 'bdb/btree-plain', 'bdb/hash-plain'];

export const FORMATS = MAKERS.length + FOREIGN.length;

/** Makes a file of a format, by number. */
export async function makeFile(format: number, version: number): Promise<SoakFile> {
  if (format < MAKERS.length) {
    const [name, make] = MAKERS[format];
    const bytes = await make(version);
    return { format: name, version, bytes, sum: md5(bytes) };
  }
  const name = FOREIGN[format - MAKERS.length];
  const bytes = readFileSync(join(process.cwd(), 'fixtures', `${name}.db`));
  return { format: name, version: 'foreign', bytes, sum: md5(bytes) };
}
