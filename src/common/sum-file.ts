import { GoromdbError } from './errors.ts';
import { type FileIdentity, identityOf, sameIdentity } from './file-identity.ts';
import { readAtMost } from './files.ts';

/** A larger sum file is refused unread; the usual one has one line. */
export const SUM_FILE_BYTES_MAX = 4096;

/** What a sum file may hold, for messages to people. */
export const SUM_FILE_FORMS =
  "the output of md5sum, md5sum --tag, BSD's md5 or md5 -r, openssl md5 or PowerShell's Get-FileHash, " +
  'or the 32 hexadecimal digits alone, in UTF-8, or in UTF-16 with a byte order mark';

/** `<hex>`, `<hex>  name`, `<hex> *name` and `<hex> name`. */
const PLAIN = /^([0-9a-f]{32})(?:[ \t]+(.*))?$/i;
/** `MD5 (name) = <hex>`, and as openssl writes it, `MD5(name)= <hex>` or `(stdin)= <hex>`. */
const TAGGED = /^(?:MD5 ?)?\((.*)\) ?= ?([0-9a-f]{32})$/i;
/** A row or a line of `Get-FileHash -Algorithm MD5`: `MD5 <hex> path`, `Hash : <hex>`. */
const POWERSHELL = /^(?:MD5[ \t]+|Hash[ \t]*:[ \t]*)([0-9a-f]{32})(?:[ \t]+(.*))?$/i;

/** What a text in UTF-16 begins with (RFC 2781 section 3.2). */
const UTF16_LE_BOM = 0xfffe;
const UTF16_BE_BOM = 0xfeff;

interface SumLine {
  readonly md5: string;
  readonly name: string;
}

/**
 * Reads the expected MD5 of a file from its sum file. Accepts {@link SUM_FILE_FORMS}, in upper or
 * lower case, with any line ends and blank lines. Lines without an MD5 (comments, checksums of
 * other lengths) do not count.
 *
 * @param bytes The whole sum file.
 * @param fileName Name of the file without its folder. It chooses one of several MD5s; a single
 * one counts whatever its name, because producers compute it under other names and paths.
 * @returns 32 lower-case hexadecimal digits, or `undefined` when there is no MD5, none of several
 * is for the file, or two that are for the file differ.
 */
export function parseSumFile(bytes: Buffer, fileName: string): string | undefined {
  const lines = textOf(bytes)
    .split(/\r\n|\r|\n/)
    .map((line) => parseLine(line.trim()))
    .filter((line) => line !== undefined);
  const candidates =
    lines.length === 1 ? lines : lines.filter((line) => isNameOf(line.name, fileName));
  const sums = new Set(candidates.map((line) => line.md5));
  return sums.size === 1 ? candidates[0].md5 : undefined;
}

/** The text of a small file as tools of all systems write it, without its byte order mark. */
function textOf(bytes: Buffer): string {
  const mark = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  if (mark !== UTF16_LE_BOM && mark !== UTF16_BE_BOM) {
    return bytes.toString('utf8').replace(/^\uFEFF/, '');
  }
  // Half a unit at the end is no text.
  const units = Buffer.from(bytes.subarray(2, bytes.length - (bytes.length % 2)));
  return (mark === UTF16_BE_BOM ? units.swap16() : units).toString('utf16le');
}

/**
 * Reads a sum file, or one byte more than {@link SUM_FILE_BYTES_MAX} of one that is too large. A
 * symbolic link is followed: some systems bring all their files by links.
 *
 * @param expected The file as it was seen: another one is not read.
 * @throws GoromdbError FILE_CHANGED; what the file system throws.
 */
export function readSumFile(path: string, expected?: FileIdentity): Promise<Buffer> {
  return readAtMost(path, SUM_FILE_BYTES_MAX + 1, {
    followsLinks: true,
    check: async (handle) => {
      if (expected === undefined) return;
      const found = identityOf(await handle.stat({ bigint: true }));
      if (sameIdentity(found, expected)) return;
      throw new GoromdbError(
        'FILE_CHANGED',
        `${path} has changed since it was found: it is read again`,
      );
    },
  });
}

/** Whether a small file of text has none. */
export function isBlank(bytes: Buffer): boolean {
  return textOf(bytes).trim() === '';
}

/** The first bytes of a sum file as printable ASCII, for a message: it may hold anything. */
export function excerptOf(bytes: Buffer, lengthMax: number): string {
  const text = bytes.subarray(0, lengthMax).toString('latin1');
  const escaped = text.replace(
    /[^\x20-\x7e]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `"${escaped}"${bytes.length > lengthMax ? '...' : ''}`;
}

function parseLine(line: string): SumLine | undefined {
  // GNU md5sum marks a line whose name it had to escape with a leading backslash.
  const escaped = line.startsWith('\\');
  const text = escaped ? line.slice(1) : line;
  const row = PLAIN.exec(text) ?? POWERSHELL.exec(text);
  const tagged = row ? null : TAGGED.exec(text);
  const md5 = row?.[1] ?? tagged?.[2];
  if (md5 === undefined) return undefined;
  const name = row?.[2] ?? tagged?.[1] ?? '';
  return { md5: md5.toLowerCase(), name: escaped ? unescapeName(name) : name };
}

function unescapeName(name: string): string {
  return name.replace(/\\([\\nr])/g, (_, char: string) => {
    if (char === 'n') return '\n';
    return char === 'r' ? '\r' : '\\';
  });
}

function isNameOf(name: string, fileName: string): boolean {
  // `*` marks binary mode, yet it may also begin a name: both readings count.
  const readings = name.startsWith('*') ? [name, name.slice(1)] : [name];
  return readings.some(
    (path) => path === fileName || path.endsWith(`/${fileName}`) || path.endsWith(`\\${fileName}`),
  );
}
