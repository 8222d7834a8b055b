import { basename } from 'node:path';
import type { ErrorCode } from '../common/errors.ts';
import { excerptOf, SUM_FILE_BYTES_MAX, SUM_FILE_FORMS } from '../common/sum-file.ts';

/** How much of an unreadable sum file a warning shows. */
const EXCERPT_BYTES_MAX = 80;

/** Why a drop is not loaded now. */
export interface Complaint {
  readonly code: ErrorCode;
  /** What was expected, what was found, what to do. */
  readonly text: string;
  /** The sum that the drop promises, where it is known. */
  readonly md5?: string;
}

/** As it is logged. */
export function lineOf({ code, text }: Complaint): string {
  return `${code}: ${text}`;
}

/** Something that is not a readable file where the file or its sum file is expected. */
export function unusable(path: string, what: string): Complaint {
  const text =
    `${path} is ${what}. ` +
    'Nothing is loaded until a regular file that can be read is in its place.';
  return { code: 'FILE_UNREADABLE', text };
}

/** A file without its sum file. That is how most drops begin: nothing to be warned of. */
export function sumMissing(file: string, sumFile: string): Complaint {
  const text =
    `${file} waits for its sum file ${sumFile}, and is not loaded without it. ` +
    `Write that last (md5sum ${basename(file)} > ${basename(sumFile)}).`;
  return { code: 'SUM_MISSING', text };
}

/** What a complaint is about. */
interface Pair {
  readonly file: string;
  readonly sumFile: string;
  /** Whether what the two hold must not be shown: see `Drop.isLinked`. */
  readonly isLinked: boolean;
}

/** Why a complaint shows less than it might. */
const NOT_SHOWN = 'is not shown, since it may be read by a link or by a second name';

/** A file that settled with another MD5 than its sum file's. */
export function mismatch(
  { file, sumFile, isLinked }: Pair,
  expected: string,
  found: string,
): Complaint {
  const sums = isLinked
    ? `another MD5 than ${file} has; which ${NOT_SHOWN}`
    : `the MD5 ${expected}, but the file's is ${found}`;
  const text =
    `${file} is not loaded: ${sumFile} promises ${sums}. Write the file to its end, then its sum ` +
    `file anew (md5sum ${basename(file)} > ${basename(sumFile)}); either change is noticed.`;
  return { code: 'SUM_MISMATCH', text, ...(isLinked ? {} : { md5: expected }) };
}

/** A file that was written to, or replaced, while it was loaded. */
export function changed({ file, isLinked }: Pair, md5: string): Complaint {
  const text = `${file} has changed while it was loaded. It is loaded when it is quiet.`;
  return { code: 'FILE_CHANGED', text, ...(isLinked ? {} : { md5 }) };
}

/** A sum file that settled without a sum that can be read from it; `bytes` is its beginning. */
export function sumInvalid({ file, sumFile, isLinked }: Pair, bytes: Buffer): Complaint {
  const flaw =
    bytes.length > SUM_FILE_BYTES_MAX
      ? `is larger than ${SUM_FILE_BYTES_MAX} bytes`
      : `holds no single MD5 for ${basename(file)}`;
  const begins = isLinked
    ? `What it holds ${NOT_SHOWN}`
    : `It begins with ${excerptOf(bytes, EXCERPT_BYTES_MAX)}`;
  const text =
    `${file} is not loaded: ${sumFile} ${flaw}. ${begins}. Accepted: ${SUM_FILE_FORMS}. ` +
    'Write it anew; the change is noticed.';
  return { code: 'SUM_INVALID', text };
}

/** A load that failed for another reason than the file. @param reason Why, for the log. */
export function failed(
  { file, isLinked }: Pair,
  md5: string,
  code: ErrorCode,
  reason: string,
): Complaint {
  const text = `Loading ${file} failed`;
  return isLinked
    ? { code, text: `${text}. Why is in the log, and ${NOT_SHOWN}.` }
    : { code, text: `${text}: ${reason}`, md5 };
}
