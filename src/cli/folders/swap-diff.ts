import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GoromdbError } from '../../common/errors.ts';
import { type Diff, diffFiles } from '../../inspect/diff.ts';
import { SLOT_NAMES } from '../../loader/slots/slots.ts';

/** Nobody has asked for a comparison of more: it reads both generations, and takes memory for each key. */
const UNASKED_KEYS_MAX = 10_000_000;

/** A generation that has just begun to serve. */
export interface Swapped {
  /** Where its file was dropped. */
  readonly file: string;
  readonly generation: number;
  readonly keys: number;
  /** The base folder of the server, if it was named. */
  readonly basedir: string | undefined;
}

/**
 * Compares a generation with the one that served before it.
 *
 * @returns undefined when there is none, or nobody has said where the slots are and they are not in the
 *   drop folder, which is where a server has them without -basedir.
 * @throws GoromdbError as `diffFiles`, when the base folder was named.
 */
export async function diffOfSwap(swapped: Swapped): Promise<Diff | undefined> {
  const { file, generation, keys, basedir = dirname(file) } = swapped;
  const isAsked = swapped.basedir !== undefined;
  if (generation < 2 || (!isAsked && keys > UNASKED_KEYS_MAX)) return undefined;
  if (!(await hasSlots(basedir))) return undefined;
  try {
    return await diffFiles(`${basedir}@previous`, `${basedir}@${generation}`);
  } catch (error) {
    // It may have been replaced already, or is not kept.
    if (isAsked || !(error instanceof GoromdbError)) throw error;
    return undefined;
  }
}

async function hasSlots(basedir: string): Promise<boolean> {
  const found = await Promise.all(
    SLOT_NAMES.map((name) => stat(join(basedir, name)).catch(() => undefined)),
  );
  return found.every((stats) => stats?.isDirectory() === true);
}
