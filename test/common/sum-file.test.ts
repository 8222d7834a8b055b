import { describe, expect, it } from 'vitest';
import { excerptOf, parseSumFile } from '../../src/common/sum-file.ts';

const SUM = '0123456789abcdef0123456789abcdef';
const OTHER = 'fedcba9876543210fedcba9876543210';

const parse = (text: string, name = 'data.db'): string | undefined =>
  parseSumFile(Buffer.from(text), name);

describe('a sum file', () => {
  it.each([
    ['md5sum', `${SUM}  data.db\n`],
    ['md5sum -b', `${SUM} *data.db\n`],
    ['md5sum --tag and BSD md5', `MD5 (data.db) = ${SUM}\n`],
    ['openssl md5', `MD5(data.db)= ${SUM}\n`],
    ['BSD md5 -r', `${SUM} data.db\n`],
    ['BSD md5 -q', `${SUM}\n`],
    ['printf without a newline', SUM],
    ['an upper-case tool', `${SUM.toUpperCase()}  data.db\n`],
    ['an upper-case tool with a tag', `MD5 (data.db) = ${SUM.toUpperCase()}\n`],
    ['a tool that separates with a tab', `${SUM}\tdata.db\n`],
    ['openssl md5 of standard input', `(stdin)= ${SUM}\n`],
    ['openssl md5 of standard input, version 3', `MD5(stdin)= ${SUM}\n`],
    ['digest of Solaris', `(data.db) = ${SUM}\n`],
    [
      "PowerShell's Get-FileHash in a table",
      `Algorithm  Hash  Path\n---------  ----  ----\nMD5        ${SUM.toUpperCase()}  C:\\out\\data.db\n`,
    ],
    [
      "PowerShell's Get-FileHash in a list",
      `Algorithm : MD5\nHash      : ${SUM.toUpperCase()}\nPath      : C:\\out\\data.db\n`,
    ],
  ])('is read as %s writes it', (_tool, text) => {
    expect(parse(text)).toBe(SUM);
    expect(parse(text.replaceAll('\n', '\r\n'))).toBe(SUM);
    expect(parse(`\uFEFF\n  ${text}\n\n`)).toBe(SUM);
    // As `>` of PowerShell 5 writes it, and in the other byte order.
    const utf16 = Buffer.from(`\uFEFF${text}`, 'utf16le');
    expect(parseSumFile(utf16, 'data.db')).toBe(SUM);
    expect(parseSumFile(Buffer.from(utf16).swap16(), 'data.db')).toBe(SUM);
    expect(parseSumFile(Buffer.concat([utf16, Buffer.from('\n')]), 'data.db')).toBe(SUM);
  });

  it('needs no matching name when it holds one MD5', () => {
    expect(parse(`${SUM}  /tmp/build/other.db\n`)).toBe(SUM);
    expect(parse(`MD5 (stdin (copy)) = ${SUM}\n`)).toBe(SUM);
    expect(parse(`# made by cron\n${SUM}  -\n`)).toBe(SUM);
  });

  it('chooses among several sums by the name of the file, whatever its folder', () => {
    for (const name of ['data.db', './data.db', '/srv/out/data.db', 'C:\\out\\data.db']) {
      expect(parse(`${OTHER}  old-data.db\n${SUM}  ${name}\n`)).toBe(SUM);
      expect(parse(`${OTHER} *old-data.db\n${SUM} *${name}\n`)).toBe(SUM);
      expect(parse(`MD5 (x) = ${OTHER}\nMD5 (${name}) = ${SUM}\n`)).toBe(SUM);
    }
    expect(parse(`${OTHER}  a.db\r${SUM}  data.db\r`)).toBe(SUM);
  });

  it('finds a name that begins with an asterisk, in text and in binary mode', () => {
    expect(parse(`${OTHER}  a\n${SUM}  *star\n`, '*star')).toBe(SUM);
    expect(parse(`${OTHER} *a\n${SUM} **star\n`, '*star')).toBe(SUM);
  });

  it('undoes the escapes of a name that GNU md5sum marks with a backslash', () => {
    expect(parse(`\\${SUM}  na\\\\me\n`, 'na\\me')).toBe(SUM);
    expect(parse(`${OTHER}  a\n\\${SUM}  na\\\\me\n`, 'na\\me')).toBe(SUM);
    expect(parse(`${OTHER}  a\n\\${SUM}  na\\nme\n`, 'na\nme')).toBe(SUM);
    expect(parse(`${OTHER}  a\n\\MD5 (na\\\\nme) = ${SUM}\n`, 'na\\nme')).toBe(SUM);
  });

  it('is refused when none of several sums is for the file', () => {
    expect(parse(`${SUM}  a.db\n${OTHER}  b.db\n`)).toBeUndefined();
    expect(parse(`${SUM}\n${OTHER}\n`)).toBeUndefined();
  });

  it('is refused when it promises two sums for the file, not when it promises one twice', () => {
    expect(parse(`${SUM}  data.db\n${OTHER}  x/data.db\n`)).toBeUndefined();
    expect(parse(`${SUM}  data.db\n${SUM}  x/data.db\n${OTHER}  y\n`)).toBe(SUM);
  });

  it.each([
    ['empty', ''],
    ['blank', ' \r\n\n'],
    ['cut off', SUM.slice(0, 31)],
    ['SHA-1', `${SUM}01234567  data.db\n`],
    ['SHA-256', `${SUM}${SUM}  data.db\n`],
    ['a tagged SHA-256', `SHA256 (data.db) = ${SUM}${SUM}\n`],
    ['an MD5 tag with too many digits', `MD5 (data.db) = ${SUM}00\n`],
    ['not hexadecimal', `${SUM.slice(0, 31)}g  data.db\n`],
    ['a page of HTML', `<html><body>404 ${SUM}</body></html>`],
    ['the name before the sum', `data.db  ${SUM}\n`],
    ['an MD4', `MD4(data.db)= ${SUM}\n`],
    ['a table of another hash', `SHA256     ${SUM}${SUM}  C:\\out\\data.db\n`],
  ])('is refused when it is %s', (_what, text) => {
    expect(parse(text)).toBeUndefined();
  });

  it('takes only the MD5 from a file of several kinds of sums', () => {
    const text = `SHA1 (data.db) = ${SUM}01234567\nMD5 (data.db) = ${SUM}\n`;
    expect(parse(text)).toBe(SUM);
  });

  it('is shown in messages as short printable ASCII', () => {
    const bytes = Buffer.from([0x1b, 0x5b, 0x41, 0x0a, 0xff, 0x00]);
    expect(excerptOf(bytes, 80)).toBe('"\\x1b[A\\x0a\\xff\\x00"');
    expect(excerptOf(Buffer.alloc(100, 'a'), 80)).toBe(`"${'a'.repeat(80)}"...`);
  });
});
