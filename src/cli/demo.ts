import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Address } from '../server/address.ts';
import { serve } from './serve.ts';

const SAMPLE = fileURLToPath(new URL('../../fixtures/sample/', import.meta.url));

/** Serves a sample data set from a temporary drop folder and tells what to type next. */
export async function runDemo(address: Address): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'goromdb-demo-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'data.json');
  dropSample(file);
  await serve({ address, file, storage: 'json' }, (goromdb) => {
    process.stdout.write(nextSteps(goromdb.address, file));
  });
}

/** Drops as every producer should: the file under its name in one step, and the sum last. */
function dropSample(file: string): void {
  const source = join(SAMPLE, 'cities-v1.json');
  const md5 = createHash('md5').update(readFileSync(source)).digest('hex');
  copyFileSync(source, `${file}.tmp`);
  renameSync(`${file}.tmp`, file);
  writeFileSync(`${file}.md5`, `${md5}  data.json\n`);
}

function nextSteps(address: Address, file: string): string {
  const target =
    address.kind === 'unix'
      ? `-U ${address.path}`
      : `${address.host ?? 'localhost'} ${address.port}`;
  const read = `printf 'get city:paris data:version\\r\\nquit\\r\\n' | nc ${target}`;
  return `
goromdb serves a sample data set. In another terminal, read from it:

  ${read}

Drop a new version: the file first, its sum last. Then read again.

  cp ${join(SAMPLE, 'cities-v2.json')} ${file}.tmp
  mv ${file}.tmp ${file}
  md5sum ${file} > ${file}.md5

Ctrl-C ends it.

`;
}
