import { createHash } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

/** MD5 in lower-case hex. */
export function md5(content: string | Uint8Array): string {
  return createHash('md5').update(content).digest('hex');
}

/** Drops a file as a producer should: the file in one step, its sum last and in one step. */
export function drop(file: string, content: string | Uint8Array, sum = md5(content)): void {
  writeFileSync(`${file}.part`, content);
  renameSync(`${file}.part`, file);
  writeFileSync(`${file}.md5.part`, `${sum}  ${basename(file)}\n`);
  renameSync(`${file}.md5.part`, `${file}.md5`);
}
