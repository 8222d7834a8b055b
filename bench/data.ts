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
import { type GeneratedData, generatedKey, generatedValue } from '../src/load/data-set.ts';

/** Bytes that are written at once. */
const CHUNK_BYTES = 1024 * 1024;

/** Writes the generated data set as JSON, or as the text that `mdb_load -T` reads. */
function writeData(path: string, { keys, valueBytes }: GeneratedData, form: 'json' | 'dump'): void {
  const fd = openSync(path, 'w');
  let chunk = form === 'json' ? '{' : '';
  for (let id = 0; id < keys; id++) {
    const key = generatedKey(id);
    const value = generatedValue(key, valueBytes);
    chunk += form === 'json' ? `${id === 0 ? '' : ',\n'}"${key}":"${value}"` : `${key}\n${value}\n`;
    if (chunk.length < CHUNK_BYTES) continue;
    writeSync(fd, chunk);
    chunk = '';
  }
  writeSync(fd, form === 'json' ? `${chunk}}\n` : chunk);
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
    'mdb_load -n -T "$1" < "$1.dump"; rm -f "$1-lock" "$1.dump"',
    'sh',
    path,
  ]);
}

/** Drops `made` under the name `file`: the file first, its sum last. `made` is used up. */
export async function drop(made: string, file: string): Promise<void> {
  const hash = createHash('md5');
  for await (const chunk of createReadStream(made)) hash.update(chunk as Buffer);
  renameSync(made, file);
  writeFileSync(`${file}.md5.tmp`, `${hash.digest('hex')}\n`);
  renameSync(`${file}.md5.tmp`, `${file}.md5`);
}
