import { basename } from 'node:path';
import type { ErrorCode } from '../common/errors.ts';
import { hasChanged } from '../common/file-identity.ts';
import { excerptOf, SUM_FILE_BYTES_MAX, SUM_FILE_FORMS } from '../common/sum-file.ts';

/** How much of an unreadable sum file a warning shows. */
const EXCERPT_BYTES_MAX = 80;

/** Why a drop is not loaded now. */
export interface WaitReason {
  readonly code: ErrorCode;
  /** What was expected, what was found, what to do. */
  readonly text: string;
  /** The MD5 in the sum file, where it is known. */
  readonly md5?: string;
}

/** The text of a log line. */
export function lineOf({ code, text }: WaitReason): string {
  return `${code}: ${text}`;
}

/** The file or its sum file is not a readable file. */
export function unusable(path: string, found: string): WaitReason {
  const text =
    `${path}: expected a regular file that can be read, found ${found}: ` +
    'nothing is loaded until there is one';
  return { code: 'FILE_UNREADABLE', text };
}

/** There is no sum file. Most drops begin so: no warning is due yet. */
export function sumMissing(file: string, sumFile: string): WaitReason {
  const text =
    `${file} waits for its sum file ${sumFile}: ` +
    `write that last (md5sum ${basename(file)} > ${basename(sumFile)})`;
  return { code: 'SUM_MISSING', text };
}

/** The two files of a drop. */
interface Pair {
  readonly file: string;
  readonly sumFile: string;
  /** Whether their content must not be shown: see `Drop.isLinked`. */
  readonly isLinked: boolean;
}

/** Why a text shows less than it might. */
const NOT_SHOWN = 'not shown, since a link or a second name may lead to it';

/** A settled file has another MD5 than its sum file says. */
export function mismatch(
  { file, sumFile, isLinked }: Pair,
  expected: string,
  found: string,
): WaitReason {
  const sums = isLinked
    ? `expected the MD5 in ${sumFile}, found another (${NOT_SHOWN})`
    : `expected the MD5 ${expected} of ${sumFile}, found ${found}`;
  const text =
    `${file}: ${sums}: it is not loaded; write the file to its end, then its sum file ` +
    `(md5sum ${basename(file)} > ${basename(sumFile)})`;
  return { code: 'SUM_MISMATCH', text, ...(isLinked ? {} : { md5: expected }) };
}

/** Somebody wrote to the file, or replaced it, while it was loaded. */
export function changed({ file, isLinked }: Pair, md5: string): WaitReason {
  const text = hasChanged(file).message;
  return { code: 'FILE_CHANGED', text, ...(isLinked ? {} : { md5 }) };
}

/** A settled sum file has no MD5 that can be read. @param bytes Its beginning. */
export function sumInvalid({ file, sumFile, isLinked }: Pair, bytes: Buffer): WaitReason {
  const found = isLinked ? `other text (${NOT_SHOWN})` : excerptOf(bytes, EXCERPT_BYTES_MAX);
  const sums =
    bytes.length > SUM_FILE_BYTES_MAX
      ? `expected at most ${SUM_FILE_BYTES_MAX} bytes, found more, which begin with ${found}`
      : `expected one MD5 for ${basename(file)}, found ${found}`;
  const text = `${sumFile}: ${sums}: ${file} is not loaded; write the sum file as ${SUM_FILE_FORMS}`;
  return { code: 'SUM_INVALID', text };
}

/** A load failed for another reason than the file. @param reason For the log. */
export function failed(
  { file, isLinked }: Pair,
  md5: string,
  code: ErrorCode,
  reason: string,
): WaitReason {
  const text = `Loading ${file} failed`;
  return isLinked
    ? { code, text: `${text}: the reason is in the log (${NOT_SHOWN})` }
    : { code, text: `${text}: ${reason}`, md5 };
}
