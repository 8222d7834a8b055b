/** The rules for the data sets of one process: what they must not have in common. */
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { GoromdbError } from '../common/errors.ts';
import { SOCKET_NAME } from '../control/control-path.ts';
import { DATA_SETS_MAX } from '../handler/data-sets.ts';
import { PREFIX_BYTES_MAX } from '../handler/routes.ts';
import { rejectedPath } from '../loader/drops/drop-offer.ts';
import { receiptPath } from '../loader/drops/receipt.ts';
import { EVENTS_NAME } from '../loader/slots/events.ts';
import { SLOT_NAMES } from '../loader/slots/slots.ts';
import { delimiterFault } from '../storage/scanners/namespaces.ts';
import { forceMarkOf } from '../watcher/drop-marks.ts';
import { nameOf, type PlacedDataSet, setOf } from './data-set.ts';

/**
 * Refuses data sets that share a prefix, a folder or a file. Links and other names of a folder do not
 * hide it. Nothing is made or changed.
 *
 * @throws GoromdbError OPTION_INVALID.
 */
export function checkConflicts(sets: readonly PlacedDataSet[]): void {
  if (sets.length > DATA_SETS_MAX) {
    throw fault(`expected at most ${DATA_SETS_MAX} data sets, found ${sets.length}`);
  }
  const prefixes = new Map<string, PlacedDataSet>();
  const folders = new Map<string, PlacedDataSet>();
  const files = new Map<string, PlacedDataSet>();
  for (const one of sets) {
    checkPrefix(one);
    if (prefixes.has(setOf(one))) throw fault(`prefix: ${nameOf(one)} comes twice`);
    prefixes.set(setOf(one), one);
    for (const identity of identitiesOf(one.basedir)) claim(folders, identity, one, 'basedir');
    for (const identity of identitiesOf(one.file)) claim(files, identity, one, 'file');
  }
  for (const one of sets) {
    for (const companion of companionsOf(realPath(one.file))) {
      const other = files.get(companion);
      if (other === undefined) continue;
      throw fault(
        `file: ${other.file} of ${nameOf(other)} has a name that goes with ${one.file} of ${nameOf(one)}; choose another name`,
      );
    }
    checkPlace(one, sets);
  }
}

/** What identifies a folder or a file: its path without links, and its device and inode. */
export function identitiesOf(path: string): readonly string[] {
  const real = realPath(path);
  try {
    const { dev, ino } = statSync(real, { bigint: true });
    return [real, `${dev}:${ino}`];
  } catch {
    // Such as a link to itself. The part that needs it reports it: a producer may have put it there,
    // and the slots can serve nevertheless.
    return [real];
  }
}

/** The path without links, also of a file that is not there yet. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const folder = dirname(path);
    return folder === path ? path : join(realPath(folder), basename(path));
  }
}

function checkPrefix({ prefix }: PlacedDataSet): void {
  if (prefix === undefined) return;
  const { name, delimiter } = prefix;
  const wrong = delimiterFault(delimiter);
  if (wrong !== undefined) throw fault(`delimiter: ${wrong}`);
  const bytes = Buffer.byteLength(name);
  const shown = JSON.stringify(name);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it finds them.
  if (bytes < 1 || bytes > PREFIX_BYTES_MAX || /[\x00-\x20\x7f]|\p{Surrogate}/u.test(name)) {
    throw fault(
      `prefix: ${shown} is not allowed; expected 1 to ${PREFIX_BYTES_MAX} bytes without spaces and control characters`,
    );
  }
  // With the prefix a: and the delimiter ::, the first :: in a::: comes too early.
  if ((name + delimiter).indexOf(delimiter) === name.length) return;
  throw fault(
    `prefix: ${shown} has the delimiter ${JSON.stringify(delimiter)} in it, or a part at its end: leave it out, since goromdb adds it behind the prefix; or choose another delimiter`,
  );
}

function claim(
  claims: Map<string, PlacedDataSet>,
  identity: string,
  one: PlacedDataSet,
  what: 'basedir' | 'file',
): void {
  const other = claims.get(identity);
  if (other !== undefined && other !== one) {
    const paths = one[what] === other[what] ? one[what] : `${other[what]} and ${one[what]}`;
    const hint = what === 'basedir' ? ' (without basedir it is the folder of file)' : '';
    throw fault(
      `${what}: ${nameOf(other)} and ${nameOf(one)} share ${paths}: each needs its own${hint}`,
    );
  }
  claims.set(identity, one);
}

/** The files that producers and the server put beside a file. */
function companionsOf(file: string): readonly string[] {
  const rejected = rejectedPath(file);
  return [`${file}.md5`, forceMarkOf(file), receiptPath(file), rejected, `${rejected}.md5`];
}

/** Refuses files and base folders in slots, and files with names that the server uses. */
function checkPlace(one: PlacedDataSet, sets: readonly PlacedDataSet[]): void {
  const file = realPath(one.file);
  const own = realPath(one.basedir);
  for (const { basedir } of sets) {
    const base = realPath(basedir);
    const slots = SLOT_NAMES.map((name) => join(base, name));
    if (slots.includes(dirname(file))) {
      throw fault(
        `file: ${one.file} lies in a slot of ${basedir}; choose a file in another folder`,
      );
    }
    if (slots.includes(own)) {
      throw fault(`basedir: ${one.basedir} is a slot of ${basedir}; choose another folder`);
    }
    if ([...slots, join(base, EVENTS_NAME), join(base, SOCKET_NAME)].includes(file)) {
      throw fault(`file: ${one.file} has a name that goromdb uses itself; choose another one`);
    }
  }
}

function fault(message: string): GoromdbError {
  return new GoromdbError('OPTION_INVALID', message);
}
