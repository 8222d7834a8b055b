import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { codeOf, GoromdbError } from '../../common/errors.ts';
import { oneLine } from '../../common/log.ts';
import { readReceipt } from '../../loader/drops/receipt.ts';
import { dropFile } from '../folders/drop-file.ts';
import { followDrop } from '../folders/follow-drop.ts';
import { type Ending, report, reportAsJson } from '../folders/publish-report.ts';
import { checkKeyIsNamed, type LocalData, localDataOf } from '../local/local-data.ts';
import { buildIn, remarksOf } from '../local/preparation.ts';
import { makePrivateFolder } from '../local/private-folder.ts';
import { misuse, optionGroup } from '../options/option.ts';
import { ROW_OPTIONS } from '../options/rows.ts';
import { BOOLEAN, DURATION_OR_ZERO, FOLDER, URLS } from '../options/values.ts';
import { Bar } from '../process/bar.ts';
import { failInput } from '../process/fail.ts';
import { expectAll } from '../remote/expect-all.ts';
import { defineCommand } from './command.ts';

/** See `exitCodes` of the command. */
const EXIT = { serving: 0, dropped: 0, failed: 1, rejected: 3, timeout: 4, superseded: 5 } as const;
type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What shells add to the number of a signal. */
const EXIT_BY_SIGNAL = 128;

const OPTIONS = {
  ...optionGroup('Flags', {
    timeout: {
      ...DURATION_OR_ZERO,
      help: 'how long to wait until the server serves the file; 0: do not wait',
      fallback: '10m',
    },
    force: {
      ...BOOLEAN,
      help: 'override the guards for this file; its MD5 and content must still be right',
    },
    basedir: {
      ...FOLDER,
      help: 'base folder of the server, to compare the records with those that served before',
      fallbackNote: 'the folder of DROP, if it has slots',
    },
    'expect-all': {
      ...URLS,
      help: 'the -http URLs of further servers that must serve the file too, within -timeout; may be repeated, or separated by commas',
      fallbackNote: 'none',
    },
    json: { ...BOOLEAN, help: 'print a line of JSON for each DROP' },
  }),
  ...ROW_OPTIONS,
};

/** What to publish, and how. */
interface PublishRequest {
  readonly data: LocalData;
  readonly drops: readonly string[];
  readonly timeoutMs: number;
  readonly force: boolean;
  readonly basedir: string | undefined;
  readonly urls: readonly URL[];
  readonly json: boolean;
}

export const publish = defineCommand({
  name: 'publish',
  summary: 'Drops a file, or a table that it builds, and waits until the server serves it.',
  usage: 'goromdb publish FILE DROP... [flags]',
  notes: `
Examples:
  goromdb publish users.db /srv/drop/data.db
  make-users | goromdb publish - -key id /srv/drop/data.db /mnt/b/drop/data.db

DROP is the -file of the server. FILE is dropped as it is. If it is a folder, a
pattern or - for standard input, or with -key or another flag of "Rows and
records", publish first builds a table from it, as goromdb build does.

Of several DROPs, the first exit code that is not 0 counts.`,
  exitCodes: {
    0: 'the server serves the file; with -timeout 0, the file is dropped',
    1: 'the file could not be dropped',
    2: 'a flag is wrong',
    3: 'the file is bad, or the server rejected it',
    4: 'no outcome within -timeout; the drop stays',
    5: 'another file took its place, or it was rolled back at once',
  },
  options: OPTIONS,
  takesArguments: true,
  read({ values, args, given }): PublishRequest {
    const [file, ...drops] = args;
    if (drops.length === 0 || args.includes('')) {
      const found = args.length === 1 ? '1 argument' : `${args.length} arguments`;
      throw misuse(`expected FILE, and DROP, which is the server's -file; found ${found}`);
    }
    const files = drops.map((drop) => resolve(drop));
    if (new Set(files).size < files.length) throw misuse('expected each DROP once');
    const { timeout: timeoutMs, force, basedir, json, 'expect-all': urls = [] } = values;
    if (urls.length > 0 && timeoutMs === 0) {
      throw misuse('-expect-all needs a -timeout to wait for: expected one, found 0');
    }
    if (basedir !== undefined && files.length > 1) throw misuse('-basedir is for one DROP');
    const data = localDataOf([file], values, given);
    return { data, drops: files, timeoutMs, force, basedir, urls, json };
  },
  async run(request) {
    for (const drop of request.drops) await checkPlace(drop);
    if (request.drops.length > 1) checkNoInput(request.drops);
    let source: string;
    try {
      await checkKeyIsNamed(request.data);
      source = await sourceOf(request.data);
    } catch (error) {
      return failInput(error, '; nothing was dropped');
    }
    const bar = new Bar();
    const endMs = performance.now() + request.timeoutMs;
    let md5 = '';
    const codes = await Promise.all(
      request.drops.map(async (drop) => {
        const ending = await publishTo(drop, source, request, bar);
        bar.clear();
        if (ending.end === 'serving') md5 = ending.receipt.md5 ?? '';
        await (request.json ? reportAsJson(drop, ending, request) : report(drop, ending, request));
        return exitCodeOf(ending);
      }),
    );
    const code = codes.find((code) => code !== 0) ?? 0;
    if (code !== 0 || request.urls.length === 0) return code;
    return awaitOthers(request, md5, bar, endMs);
  },
});

/** A server waits for one name in a folder: that of its -file. A rename would take a device's place. */
async function checkPlace(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isFile()) return;
  const kind = found.isDirectory() ? 'folder' : 'device, a pipe or a socket';
  const message =
    `${path} is a ${kind}: expected the path of the file that the server waits for, as its -file ` +
    `says, such as ${join(found.isDirectory() ? path : dirname(path), 'data.json')}; nothing was dropped`;
  throw new GoromdbError('OPTION_INVALID', message);
}

/** A shell makes of a pattern many files, of which all but the first would be replaced as if they were DROPs. */
function checkNoInput(drops: readonly string[]): void {
  const input = drops.find((drop) => existsSync(drop) && !existsSync(`${drop}.md5`));
  if (input === undefined) return;
  const message =
    `${input} is there, without ${input}.md5: expected a DROP, found what seems an input: ` +
    "quote patterns, as in 'parts/*.csv', or remove the file; nothing was dropped";
  throw new GoromdbError('OPTION_INVALID', message);
}

/** @returns The file to drop: the one that was named, or a table that is built of it. */
async function sourceOf({ inputs, rows }: LocalData): Promise<string> {
  if (rows === undefined) return resolve(inputs[0]);
  // The folder goes when the process exits; a signal alone would leave it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => process.exit(EXIT_BY_SIGNAL + constants.signals[signal]));
  }
  const { built, path } = await buildIn(makePrivateFolder('publish'), inputs, rows);
  for (const remark of remarksOf(built)) process.stderr.write(`warning: ${remark}\n`);
  return path;
}

async function publishTo(
  file: string,
  source: string,
  { force, timeoutMs, drops }: PublishRequest,
  bar: Bar,
): Promise<Ending> {
  const where = drops.length === 1 ? '' : `${file}: `;
  const onProgress = (percent: number, what = 'copying'): void => bar.draw(percent, where + what);
  try {
    const before = await readReceipt(file);
    const dropped = await dropFile({ source, file, force, checksSum: true, onProgress });
    if (timeoutMs === 0) return { end: 'dropped', md5: dropped.md5 };
    return await followDrop({ file, dropped, before, timeoutMs, onProgress });
  } catch (error) {
    return { end: 'failed', error };
  }
}

function exitCodeOf(ending: Ending): ExitCode {
  if (ending.end !== 'failed') return EXIT[ending.end];
  const code = codeOf(ending.error);
  return code === 'SUM_MISMATCH' || code === 'SUM_INVALID' ? EXIT.rejected : EXIT.failed;
}

/** Waits until further servers serve it, too. */
async function awaitOthers(
  { urls, json }: PublishRequest,
  md5: string,
  bar: Bar,
  endMs: number,
): Promise<ExitCode> {
  const count = urls.length;
  const onWait = (serving: number): void =>
    bar.draw(Math.floor((serving * 100) / count), `${serving} of ${count} servers serve it`);
  const lacks = await expectAll(urls, md5, { endMs, onWait });
  bar.clear();
  if (lacks.length > 0) {
    const what = `${lacks.length} of ${count} servers do not serve md5 ${md5} in time`;
    process.stderr.write(`${oneLine(`goromdb: ${what}: ${lacks.join('; ')}`)}\n`);
    return EXIT.timeout;
  }
  const servers = `serving: on all of ${count} servers of -expect-all`;
  process.stdout.write(
    `${json ? JSON.stringify({ state: 'serving', servers: count }) : servers}\n`,
  );
  return EXIT.serving;
}
