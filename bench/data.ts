import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  openSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { type GeneratedData, generatedKey, generatedValue } from '../src/traffic/data-set.ts';

/** Bytes that are written at once. */
const CHUNK_BYTES = 1024 * 1024;

/** What `mdb_load` reads first; without a map size it fails at some ten megabytes. */
const DUMP_HEADER = 'VERSION=3\nformat=print\ntype=btree\nmapsize=68719476736\nHEADER=END\n';

/** Writes the generated data set as JSON, or as the text that `mdb_load` reads. */
function writeData(path: string, { keys, valueBytes }: GeneratedData, form: 'json' | 'dump'): void {
  const fd = openSync(path, 'w');
  let chunk = form === 'json' ? '{' : DUMP_HEADER;
  for (let id = 0; id < keys; id++) {
    const key = generatedKey(id);
    const value = generatedValue(key, valueBytes);
    chunk +=
      form === 'json' ? `${id === 0 ? '' : ',\n'}"${key}":"${value}"` : ` ${key}\n ${value}\n`;
    if (chunk.length < CHUNK_BYTES) continue;
    writeSync(fd, chunk);
    chunk = '';
  }
  writeSync(fd, `${chunk}${form === 'json' ? '}' : 'DATA=END'}\n`);
  closeSync(fd);
}

/** Makes a JSON file of the data set. */
export function makeJson(path: string, data: GeneratedData): void {
  writeData(path, data, 'json');
}

/** Makes an LMDB file of the data set with LMDB's own `mdb_load`. */
export function makeLmdb(path: string, data: GeneratedData): void {
  writeData(`${path}.dump`, data, 'dump');
  execFileSync('sh', [
    '-c',
    'mdb_load -n "$1" < "$1.dump" && rm -f "$1-lock" "$1.dump"',
    'sh',
    path,
  ]);
}

/** The MD5 sum of a file, in hexadecimal digits. */
export async function md5Of(path: string): Promise<string> {
  const hash = createHash('md5');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/**
 * Drops `made` under the name `file`: the file first, its sum last. `made` is moved. It is loaded even
 * when the same bytes serve already.
 */
export function drop(made: string, file: string, md5: string): void {
  writeFileSync(`${file}.force`, '');
  renameSync(made, file);
  writeFileSync(`${file}.md5.tmp`, `${md5}\n`);
  renameSync(`${file}.md5.tmp`, `${file}.md5`);
}
