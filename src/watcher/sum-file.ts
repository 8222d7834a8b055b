import { readAtMost } from './read-at-most.ts';

/** A larger sum file is refused unread; the usual one has one line. */
export const SUM_FILE_BYTES_MAX = 4096;

/** What a sum file may hold, for messages to people. */
export const SUM_FILE_FORMS =
  "the output of md5sum, md5sum --tag, BSD's md5 or md5 -r, or the 32 hexadecimal digits alone";

/** `<hex>`, `<hex>  name`, `<hex> *name` and `<hex> name`. */
const PLAIN = /^([0-9a-f]{32})(?:[ \t]+(.*))?$/i;
/** `MD5 (name) = <hex>`, and `MD5(name)= <hex>` as openssl writes it. */
const TAGGED = /^MD5 ?\((.*)\) ?= ?([0-9a-f]{32})$/i;

interface SumLine {
  readonly md5: string;
  readonly name: string;
}

/**
 * Reads the expected MD5 of a file from its sum file. Accepts {@link SUM_FILE_FORMS}, in upper or
 * lower case, with any line ends, a byte order mark, and blank lines. Lines that are no MD5 sums
 * (comments, sums of other lengths) do not count.
 *
 * @param bytes The whole sum file.
 * @param fileName Name of the summed file without folder. It chooses among several sums; a lone sum
 * is taken whatever its name, because producers sum under other names and paths.
 * @returns 32 lower-case hexadecimal digits, or `undefined` when there is no sum, none of several
 * is for the file, or two that are for the file differ.
 */
export function parseSumFile(bytes: Buffer, fileName: string): string | undefined {
  const lines = bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .map((line) => parseLine(line.trim()))
    .filter((line) => line !== undefined);
  const candidates =
    lines.length === 1 ? lines : lines.filter((line) => isNameOf(line.name, fileName));
  const sums = new Set(candidates.map((line) => line.md5));
  return sums.size === 1 ? candidates[0].md5 : undefined;
}

/**
 * Reads a sum file, or one byte more than {@link SUM_FILE_BYTES_MAX} of one that is too large.
 *
 * @throws what the file system throws.
 */
export function readSumFile(path: string): Promise<Buffer> {
  return readAtMost(path, SUM_FILE_BYTES_MAX + 1);
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
  const plain = PLAIN.exec(text);
  const tagged = plain ? null : TAGGED.exec(text);
  const md5 = plain?.[1] ?? tagged?.[2];
  if (md5 === undefined) return undefined;
  const name = plain?.[2] ?? tagged?.[1] ?? '';
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
