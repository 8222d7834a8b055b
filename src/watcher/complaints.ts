import { basename } from 'node:path';
import type { ErrorCode } from '../errors.ts';
import { excerptOf, SUM_FILE_BYTES_MAX, SUM_FILE_FORMS } from './sum-file.ts';

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

/** A file that settled with another MD5 than its sum file's. */
export function mismatch(
  file: string,
  sumFile: string,
  expected: string,
  found: string,
): Complaint {
  const text =
    `${file} is not loaded: ${sumFile} promises the MD5 ${expected}, ` +
    `but the file's is ${found}. Write the file to its end, then its sum file anew ` +
    `(md5sum ${basename(file)} > ${basename(sumFile)}); either change is noticed.`;
  return { code: 'SUM_MISMATCH', text, md5: expected };
}

/** A file that was written to, or replaced, while it was loaded. */
export function changed(file: string, md5: string): Complaint {
  const text = `${file} has changed while it was loaded. It is loaded when it is quiet.`;
  return { code: 'FILE_CHANGED', text, md5 };
}

/** A sum file that settled without a sum that can be read from it; `bytes` is its beginning. */
export function sumInvalid(file: string, sumFile: string, bytes: Buffer): Complaint {
  const flaw =
    bytes.length > SUM_FILE_BYTES_MAX
      ? `is larger than ${SUM_FILE_BYTES_MAX} bytes`
      : `holds no single MD5 for ${basename(file)}`;
  const text =
    `${file} is not loaded: ${sumFile} ${flaw}. ` +
    `It begins with ${excerptOf(bytes, EXCERPT_BYTES_MAX)}. Accepted: ${SUM_FILE_FORMS}. ` +
    'Write it anew; the change is noticed.';
  return { code: 'SUM_INVALID', text };
}
