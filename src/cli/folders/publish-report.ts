/** What `goromdb publish` prints of each place where it has dropped a file. */
import process from 'node:process';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { oneLine } from '../../common/log.ts';
import { keysOf } from '../../common/quantities.ts';
import { type Diff, diffText } from '../../inspect/diff.ts';
import { printFailure } from '../process/fail.ts';
import type { Conclusion } from './follow-drop.ts';
import { diffOfSwap } from './swap-diff.ts';

/** How the publishing has ended at one place. */
export type Ending =
  | Conclusion
  /** Nobody waits for more. */
  | { readonly end: 'dropped'; readonly md5: string }
  /** It could not be dropped. */
  | { readonly end: 'failed'; readonly error: unknown };

/** Among which other places it was dropped. */
interface Among {
  readonly drops: readonly string[];
  readonly basedir: string | undefined;
}

export async function report(file: string, ending: Ending, among: Among): Promise<void> {
  const where = among.drops.length === 1 ? '' : `${file}: `;
  const print = (text: string): void => void process.stdout.write(`${oneLine(where + text)}\n`);
  switch (ending.end) {
    case 'serving': {
      const { generation, keys, seconds, warnings = [] } = ending.receipt;
      for (const warning of warnings) warn(where + warning);
      const total = Object.values(seconds).reduce((sum, stage) => sum + stage, 0);
      print(`serving: generation ${generation}, ${keysOf(keys)}, after ${total.toFixed(3)} s`);
      const diff = await diffOf(file, ending, among);
      if (diff !== undefined) print(`changed: ${diffText(diff)}`);
      break;
    }
    case 'dropped':
      print(`dropped ${file}, md5 ${ending.md5}`);
      break;
    case 'failed':
      printFailure(ending.error);
      break;
    default:
      process.stderr.write(`goromdb: ${oneLine(ending.reason)}\n`);
  }
}

export async function reportAsJson(file: string, ending: Ending, among: Among): Promise<void> {
  const said = await fieldsOf(file, ending, among);
  process.stdout.write(`${JSON.stringify({ drop: file, state: ending.end, ...said })}\n`);
}

async function fieldsOf(file: string, ending: Ending, among: Among): Promise<object> {
  switch (ending.end) {
    case 'serving': {
      const { state: _, file: __, ...rest } = ending.receipt;
      return { ...rest, diff: await diffOf(file, ending, among) };
    }
    case 'dropped':
      return { md5: ending.md5 };
    case 'failed':
      return { reason: messageOf(ending.error) };
    default:
      return { reason: ending.reason };
  }
}

/** It serves, whatever comes of the comparison. */
async function diffOf(
  file: string,
  { receipt: { generation, keys } }: Extract<Ending, { end: 'serving' }>,
  { basedir }: Among,
): Promise<Diff | undefined> {
  try {
    return await diffOfSwap({ file, generation, keys, basedir });
  } catch (error) {
    if (!(error instanceof GoromdbError)) throw error;
    warn(`not compared with what served before: ${error.message}`);
    return undefined;
  }
}

function warn(text: string): void {
  process.stderr.write(`warning: ${oneLine(text)}\n`);
}
