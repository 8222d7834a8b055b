import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { GoromdbError } from '../../common/errors.ts';
import { identityOf, sameContent } from '../../common/file-identity.ts';
import { oneLine } from '../../common/log.ts';
import { keysOf } from '../../common/quantities.ts';
import { type Receipt, readReceipt, receiptPath } from '../../loader/drops/receipt.ts';
import { type Dropped, dropFile, keepSum } from '../folders/drop-file.ts';
import { misuse, optionGroup } from '../options/option.ts';
import { BOOLEAN, DURATION_OR_ZERO, URLS } from '../options/values.ts';
import { expectAll } from '../remote/expect-all.ts';
import { defineCommand } from './command.ts';

/** How often the receipt is looked at. */
const POLL_MS = 100;
/** Cells of the bar. */
const BAR_CELLS = 30;

const EXIT = { done: 0, rejected: 3, timeout: 4, superseded: 5 } as const;

/** Draws over one line of a terminal; in a pipe, nothing. */
class Bar {
  readonly #isShown = process.stderr.isTTY === true;
  #isDrawn = false;

  draw(percent: number, what: string): void {
    if (!this.#isShown) return;
    this.#isDrawn = true;
    const full = Math.round((percent * BAR_CELLS) / 100);
    const cells = '#'.repeat(full).padEnd(BAR_CELLS, '.');
    process.stderr.write(`\r\x1b[K[${cells}] ${String(percent).padStart(3)}% ${oneLine(what)}`);
  }

  clear(): void {
    if (this.#isDrawn) process.stderr.write('\r\x1b[K');
    this.#isDrawn = false;
  }
}

const OPTIONS = optionGroup('Flags', {
  timeout: {
    ...DURATION_OR_ZERO,
    help: 'how long to wait until the file serves; 0 does not wait',
    fallback: '10m',
  },
  force: {
    ...BOOLEAN,
    help: 'serve it although a guard would refuse it; its MD5 and content must still be right',
  },
  'expect-all': {
    ...URLS,
    help: 'the -http of further servers that must serve it too within -timeout; may be given several times, or with commas',
    fallbackNote: 'none',
  },
});

export const publish = defineCommand({
  name: 'publish',
  summary: 'Drops a file as a producer should, and waits until it serves.',
  usage: 'goromdb publish FILE DROP [flags]',
  notes: `
DROP is the path that the server has as -file.

Exit codes: 0 it serves (or is dropped, with -timeout 0), 1 it could not be
dropped, 2 wrong flags, 3 rejected, 4 no answer in time, 5 another file took its
place.`,
  options: OPTIONS,
  takesArguments: true,
  read({ values: { timeout, force, 'expect-all': urls = [] }, args }) {
    if (args.length !== 2 || args.includes('')) {
      const found = args.length === 1 ? '1 argument' : `${args.length} arguments`;
      throw misuse(`expected FILE, and DROP, which is the server's -file; found ${found}`);
    }
    if (urls.length > 0 && timeout === 0) {
      throw misuse('-expect-all needs a -timeout to wait for: expected one, found 0');
    }
    return { source: resolve(args[0]), file: resolve(args[1]), timeoutMs: timeout, force, urls };
  },
  async run({ source, file, timeoutMs, force, urls }) {
    await refuseFolder(file);
    const bar = new Bar();
    const before = await readReceipt(file);
    const onProgress = (percent: number): void => bar.draw(percent, 'copying');
    const dropped = await dropFile({ source, file, force, onProgress }).finally(() => bar.clear());
    if (timeoutMs === 0) {
      process.stdout.write(`dropped ${file}, md5 ${dropped.md5}\n`);
      return EXIT.done;
    }
    const endMs = performance.now() + timeoutMs;
    const code = await follow(file, dropped, before, { bar, timeoutMs });
    if (code !== EXIT.done || urls.length === 0) return code;
    return awaitOthers(urls, dropped.md5, { bar, endMs });
  },
});

async function awaitOthers(
  urls: readonly URL[],
  md5: string,
  { bar, endMs }: { readonly bar: Bar; readonly endMs: number },
): Promise<number> {
  const count = urls.length;
  const onWait = (serving: number): void =>
    bar.draw(Math.floor((serving * 100) / count), `${serving} of ${count} servers serve it`);
  const lacks = await expectAll(urls, md5, { endMs, onWait });
  if (lacks.length > 0) {
    const what = `${lacks.length} of ${count} servers do not serve md5 ${md5} in time`;
    return fail(bar, EXIT.timeout, `${what}: ${lacks.join('; ')}`);
  }
  bar.clear();
  process.stdout.write(`serving: on all of ${count} servers of -expect-all\n`);
  return EXIT.done;
}

/** A server waits for one name in a folder: that of its -file. */
async function refuseFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) return;
  const message =
    `${path} is a folder: expected the path of the file that the server waits for, as its -file ` +
    `says, such as ${join(path, 'data.json')}; nothing was dropped`;
  throw new GoromdbError('OPTION_INVALID', message);
}

async function follow(
  file: string,
  dropped: Dropped,
  before: Receipt | undefined,
  { bar, timeoutMs }: { readonly bar: Bar; readonly timeoutMs: number },
): Promise<number> {
  const endMs = performance.now() + timeoutMs;
  let last: Receipt | undefined;
  for (;;) {
    const receipt = await readReceipt(file);
    const isNew = receipt !== undefined && JSON.stringify(receipt) !== JSON.stringify(before);
    if (isNew && receipt.md5 === dropped.md5) {
      last = receipt;
      const code = conclude(receipt, bar);
      if (code !== undefined) return code;
    } else if (await isReplaced(file, dropped, isNew)) {
      return fail(bar, EXIT.superseded, `another file took the place of ${file} before it served`);
    } else {
      // If it fails, the next round tries again.
      await keepSum(file, dropped).catch(() => {});
    }
    if (performance.now() >= endMs) {
      return fail(bar, EXIT.timeout, lateness(file, last, timeoutMs));
    }
    await delay(POLL_MS);
  }
}

/** @returns The exit code, if the receipt is final. */
function conclude(receipt: Receipt, bar: Bar): number | undefined {
  switch (receipt.state) {
    case 'serving': {
      bar.clear();
      const { generation, keys, seconds, warnings = [] } = receipt;
      for (const warning of warnings) process.stderr.write(`warning: ${oneLine(warning)}\n`);
      const total = Object.values(seconds).reduce((sum, stage) => sum + stage, 0);
      const line = `serving: generation ${generation}, ${keysOf(keys)}, after ${total.toFixed(3)} s`;
      process.stdout.write(`${line}\n`);
      return EXIT.done;
    }
    case 'rejected':
      return fail(bar, EXIT.rejected, `rejected: ${receipt.reason} (${receipt.code})`);
    case 'verifying':
      bar.draw(receipt.percent, 'verifying');
      return undefined;
    case 'loading':
      bar.draw(receipt.percent, `loading: ${receipt.stage}`);
      return undefined;
    case 'waiting':
      bar.draw(0, `waiting: ${receipt.reason}`);
      return undefined;
    case 'rolled-back':
      return fail(bar, EXIT.superseded, receipt.reason);
  }
}

/** Another file is there, or was there and has a receipt of its own. */
async function isReplaced(file: string, dropped: Dropped, isOther: boolean): Promise<boolean> {
  const there = await stat(file, { bigint: true }).catch(() => undefined);
  return there === undefined ? isOther : !sameContent(identityOf(there), dropped.identity);
}

function lateness(file: string, last: Receipt | undefined, timeoutMs: number): string {
  const within = `within ${timeoutMs / 1000} s; the drop stays`;
  if (last === undefined) {
    return (
      `nobody has written ${receiptPath(file)} ${within}: check that a goromdb runs with ` +
      `-file ${file}, and that it may write there`
    );
  }
  const why = last.state === 'waiting' ? `: ${last.reason} (${last.code})` : '';
  return `${file} does not serve ${within}; its state is ${last.state}${why}`;
}

function fail(bar: Bar, code: number, message: string): number {
  bar.clear();
  process.stderr.write(`goromdb: ${oneLine(message)}\n`);
  return code;
}
