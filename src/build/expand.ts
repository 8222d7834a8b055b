/** Which files inputs mean. */
import { type Dirent, existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { STANDARD_INPUT } from './inputs.ts';

/** Most files of one build. */
const FILES_MAX = 100_000;

/** What a build writes, behind the name of its file. */
export const OUTPUTS = ['', '.md5', '.rejected.jsonl'] as const;

/** What Hadoop and Spark write last into a folder that is complete. */
const SUCCESS = '_SUCCESS';
const PART = /^part-[\dm]/;

/**
 * The files that inputs mean: a pattern for all that match it, a folder for all that are in it,
 * each sorted by name. What is there under a name with `*` in it is taken as it is.
 *
 * @param out What is written: patterns and folders do not stand for what an earlier build has written
 *   there.
 * @throws GoromdbError FILE_UNREADABLE when there are none; FORMAT_UNSUPPORTED for folders in a folder;
 *   FORMAT_UNKNOWN for a folder that Spark has not finished; LIMIT_EXCEEDED.
 */
export function expandInputs(inputs: readonly string[], out?: string): readonly string[] {
  const files: string[] = [];
  const own = out === undefined ? [] : OUTPUTS.map((ending) => resolve(`${out}${ending}`));
  const isOther = (path: string): boolean => !own.includes(resolve(path));
  for (const input of inputs) {
    for (const path of input === STANDARD_INPUT ? [input] : matchesOf(input, isOther)) {
      const found = isFolder(path) ? filesIn(path, isOther) : [path];
      if (files.length + found.length > FILES_MAX) {
        const message = `expected at most ${FILES_MAX} files, found more in ${input}`;
        throw new GoromdbError('LIMIT_EXCEEDED', message);
      }
      for (const file of found) files.push(file);
    }
  }
  return files;
}

function isFolder(path: string): boolean {
  return (
    path !== STANDARD_INPUT && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  );
}

function matchesOf(input: string, isOther: (path: string) => boolean): readonly string[] {
  const isPattern = /[*?[]/.test(input) && !existsSync(input);
  if (!isPattern) return [input];
  let paths = [input.startsWith('/') ? '/' : ''];
  for (const part of input.split('/').filter((part) => part !== '')) {
    paths = /[*?[]/.test(part)
      ? paths.flatMap((path) => entriesLike(part, path))
      : paths.map((path) => join(path, part)).filter((path) => existsSync(path));
  }
  paths = paths.filter(isOther);
  if (paths.length > 0) return paths.toSorted(byName);
  throw new GoromdbError('FILE_UNREADABLE', `expected files that match ${input}, found none`);
}

function entriesLike(pattern: string, folder: string): readonly string[] {
  const regex = patternOf(pattern);
  const isFit = ({ name }: Dirent): boolean =>
    regex.test(name) && (pattern.startsWith('.') || !name.startsWith('.'));
  try {
    return entriesOf(folder || '.')
      .filter(isFit)
      .map(({ name }) => join(folder, name));
  } catch {
    // A file in the place of a folder matches nothing.
    return [];
  }
}

/** `*`, `?` and `[a-z]` or `[!a-z]`, as in a shell. */
function patternOf(pattern: string): RegExp {
  const source = pattern.replace(/\[([!^]?)([^\]]+)\]|[\\^$.*+?()[\]{}|]/g, (found, not, set) => {
    if (set !== undefined) return `[${not === '' ? '' : '^'}${set.replace(/[\\^[]/g, '\\$&')}]`;
    if (found === '*') return '.*';
    return found === '?' ? '.' : `\\${found}`;
  });
  try {
    return new RegExp(`^${source}$`, 'su');
  } catch {
    throw new GoromdbError('OPTION_INVALID', `${pattern}: expected a pattern as in a shell`);
  }
}

function filesIn(folder: string, isOther: (path: string) => boolean): readonly string[] {
  const entries = entriesOf(folder);
  const isPartial = entries.some(({ name }) => PART.test(name) || name === '_temporary');
  if (isPartial && !entries.some(({ name }) => name === SUCCESS)) {
    const message = `${folder}: expected ${SUCCESS} beside the parts, found none: whoever writes the folder has not finished`;
    throw new GoromdbError('FORMAT_UNKNOWN', message);
  }
  const seen = entries.filter(({ name }) => !/^[._]/.test(name));
  const inner = seen.find((entry) => entry.isDirectory());
  if (inner !== undefined) {
    const message = `${folder}: expected files, found the folder ${inner.name}: name the folders in it, as in '${basename(folder)}/*'`;
    throw new GoromdbError('FORMAT_UNSUPPORTED', message);
  }
  const files = seen
    .map(({ name }) => join(folder, name))
    .filter(isOther)
    .toSorted(byName);
  if (files.length > 0) return files;
  throw new GoromdbError('FILE_UNREADABLE', `${folder}: expected files in the folder, found none`);
}

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (cause) {
    const message = `cannot read the folder ${folder}: ${messageOf(cause)}`;
    throw new GoromdbError('FILE_UNREADABLE', message, { cause });
  }
}

/** By code units, whatever the locale. */
function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
