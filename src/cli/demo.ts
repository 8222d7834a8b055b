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
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Address } from '../server/address.ts';
import { fail, serve } from './serve.ts';

const SAMPLE = fileURLToPath(new URL('../../fixtures/sample/', import.meta.url));

/** Serves a sample data set from a temporary drop folder and tells what to type next. */
export async function runDemo(address: Address): Promise<void> {
  let file = '';
  try {
    const folder = mkdtempSync(join(tmpdir(), 'goromdb-demo-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    file = join(folder, 'data.json');
    dropSample(file);
  } catch (error) {
    fail(error);
  }
  // A demo belongs to its terminal, and ends with it.
  await serve(
    { address, file, storage: 'json' },
    {
      onHangUp: 'end',
      onStarted: (goromdb) => {
        process.stdout.write(nextSteps(goromdb.address, file));
      },
    },
  );
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
      ? `-U ${quoted(resolve(address.path))}`
      : `${address.host ?? 'localhost'} ${address.port}`;
  const read = `printf 'get city:paris data:version\\r\\nquit\\r\\n' | nc ${target}`;
  const [next, part, whole, sum] = [
    join(SAMPLE, 'cities-v2.json'),
    `${file}.tmp`,
    file,
    `${file}.md5`,
  ].map(quoted);
  return `
goromdb serves a sample data set. In another terminal, read from it:

  ${read}

Drop a new version: the file first, its sum last. Then read again.

  cp ${next} ${part}
  mv ${part} ${whole}
  md5sum ${whole} > ${sum}

Ctrl-C ends it.

`;
}

/** A path as a shell takes it. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
