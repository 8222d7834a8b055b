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
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Goromdb, startGoromdb } from '../../app/app.ts';
import type { Address } from '../../common/address.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import { readReceipt } from '../../loader/drops/receipt.ts';
import { ADDRESS } from '../options/clients.ts';
import { optionGroup } from '../options/option.ts';
import { type Reporting, runServer } from '../process/run-server.ts';
import { quoted } from '../process/shell-words.ts';
import { defineCommand } from './command.ts';

/** How often the receipt is looked at. */
const POLL_MS = 20;

const SAMPLE = fileURLToPath(new URL('../../../fixtures/sample/', import.meta.url));

const OPTIONS = optionGroup('Listening', {
  addr: { ...ADDRESS, fallback: '127.0.0.1:11211' },
});

export const demo = defineCommand({
  name: 'demo',
  summary: 'Serves a sample data set and prints what to type next.',
  usage: 'goromdb demo [flags]',
  options: OPTIONS,
  read: ({ values }) => ({ address: values.addr }),
  async run({ address }, argv) {
    const file = dropSample();
    const start = async (reporting: Reporting): Promise<Goromdb> => {
      const goromdb = await startGoromdb({ address, file, storage: 'json', ...reporting });
      // Not before: the printed commands must find the data.
      void whenServed(file).then(() => {
        process.stdout.write(nextSteps(goromdb.address, file));
      });
      return goromdb;
    };
    // A demo belongs to its terminal, and ends with it.
    return runServer(argv, start, 'end');
  },
});

/** Resolves when the receipt of a file says that it serves, as the sample always does. */
async function whenServed(file: string): Promise<void> {
  while ((await readReceipt(file))?.state !== 'serving') await delay(POLL_MS);
}

/**
 * Drops as every producer should: the file under its name in one step, and the sum last.
 *
 * @returns The path, in a temporary folder that the process removes at its end.
 */
function dropSample(): string {
  try {
    const folder = mkdtempSync(join(tmpdir(), 'goromdb-demo-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'data.json');
    const source = join(SAMPLE, 'cities-v1.json');
    const md5 = createHash('md5').update(readFileSync(source)).digest('hex');
    copyFileSync(source, `${file}.tmp`);
    renameSync(`${file}.tmp`, file);
    writeFileSync(`${file}.md5`, `${md5}  data.json\n`);
    return file;
  } catch (error) {
    const why = messageOf(explained(error, tmpdir()));
    throw new GoromdbError('FOLDER_UNUSABLE', `cannot make the folder of the demo: ${why}`);
  }
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
