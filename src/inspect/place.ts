import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { isAbsence } from '../common/file-identity.ts';
import { explained } from '../common/system-fault.ts';
import { type FilledSlot, readSlots, SLOT_NAMES } from '../loader/slots/slots.ts';

/** What is to be read: a file, or a generation of a base folder. */
export type Place =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'generation'; readonly baseDir: string; readonly which: Which };

/** `newest`: it serves, or would at a start. */
type Which = 'newest' | 'previous' | number;

/** `BASEDIR@7` and `BASEDIR@previous`. */
const GENERATION = /^(.+)@(\d{1,15}|previous)$/s;

/**
 * What a text of the command line names: `FILE`, `BASEDIR`, `BASEDIR@previous` or `BASEDIR@7`. What is
 * there under the whole text comes first.
 *
 * @throws GoromdbError FILE_UNREADABLE when there is nothing.
 */
export async function placeOf(text: string): Promise<Place> {
  const isFolder = await isFolderAt(text).catch((error: unknown) => {
    if (!isAbsence(error)) throw cannotRead(text, error);
    return undefined;
  });
  if (isFolder !== undefined) return isFolder ? newest(text) : { kind: 'file', path: text };
  const [, baseDir, which] = GENERATION.exec(text) ?? [];
  if (baseDir !== undefined && (await isFolderAt(baseDir).catch(() => false))) {
    const wanted = which === 'previous' ? which : Number(which);
    return { kind: 'generation', baseDir, which: wanted };
  }
  throw new GoromdbError(
    'FILE_UNREADABLE',
    `${text}: expected a file or a base folder, found nothing there`,
  );
}

function newest(baseDir: string): Place {
  return { kind: 'generation', baseDir, which: 'newest' };
}

async function isFolderAt(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory();
}

export function cannotRead(path: string, cause: unknown): GoromdbError {
  const message = `cannot read ${path}: ${messageOf(explained(cause, path))}`;
  return new GoromdbError('FILE_UNREADABLE', message, { cause });
}

/**
 * The slot that holds a generation.
 *
 * @throws GoromdbError FILE_UNREADABLE when none does.
 */
export async function slotOf(baseDir: string, which: Which): Promise<FilledSlot> {
  let fault = '';
  const slots = await readSlots(baseDir, (name, error) => {
    fault += `; slot ${name} cannot be read: ${messageOf(explained(error, join(baseDir, name)))}`;
  });
  const found =
    typeof which === 'number'
      ? slots.find(({ record }) => record?.generation === which)
      : slots.at(which === 'newest' ? 0 : 1);
  if (found !== undefined) return found;
  const held = slots.map(({ name, record }) => `${record?.generation ?? 'a file'} in ${name}`);
  const expected =
    typeof which === 'number' ? `generation ${which}` : `the ${which} generation of a server`;
  const there = held.length === 0 ? `nothing in ${SLOT_NAMES.join(' or ')}` : held.join(', ');
  const message = `${baseDir}: expected ${expected}, found ${there}${fault}`;
  throw new GoromdbError('FILE_UNREADABLE', message);
}
