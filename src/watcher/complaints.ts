import { basename } from 'node:path';
import { excerptOf, SUM_FILE_BYTES_MAX, SUM_FILE_FORMS } from './sum-file.ts';

/** How much of an unreadable sum file a warning shows. */
const EXCERPT_BYTES_MAX = 80;

/** Something that is not a readable file where the file or its sum file is expected. */
export function unusable(path: string, what: string): string {
  return (
    `FILE_UNREADABLE: ${path} is ${what}. ` +
    'Nothing is loaded until a regular file that can be read is in its place.'
  );
}

/** A file that settled with another MD5 than its sum file's. */
export function mismatch(file: string, sumFile: string, expected: string, found: string): string {
  return (
    `SUM_MISMATCH: ${file} is not loaded: ${sumFile} promises the MD5 ${expected}, ` +
    `but the file's is ${found}. Write the file to its end, then its sum file anew ` +
    `(md5sum ${basename(file)} > ${basename(sumFile)}); either change is noticed.`
  );
}

/** A sum file that settled without a sum that can be read from it; `bytes` is its beginning. */
export function sumInvalid(file: string, sumFile: string, bytes: Buffer): string {
  const flaw =
    bytes.length > SUM_FILE_BYTES_MAX
      ? `is larger than ${SUM_FILE_BYTES_MAX} bytes`
      : `holds no single MD5 for ${basename(file)}`;
  return (
    `SUM_INVALID: ${file} is not loaded: ${sumFile} ${flaw}. ` +
    `It begins with ${excerptOf(bytes, EXCERPT_BYTES_MAX)}. Accepted: ${SUM_FILE_FORMS}. ` +
    'Write it anew; the change is noticed.'
  );
}
