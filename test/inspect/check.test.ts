import { readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type CheckOptions, type CheckReport, checkFile } from '../../src/inspect/check.ts';
import { serving } from '../loader/loader-harness.ts';
import { md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { writeTable } from '../support/table-file.ts';

function file(name: string, content: string | Uint8Array): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

async function checked(
  name: string,
  content: string | Uint8Array,
  options?: CheckOptions,
): Promise<CheckReport> {
  return checkFile(file(name, content), options);
}

/** What is wrong, without the name of the file. */
function errorsOf({ errors, file }: CheckReport): readonly string[] {
  return errors.map(({ code, message }) => `${message.replaceAll(file, basename(file))} (${code})`);
}

describe('a check of a sound file', () => {
  test('says what it holds, what it takes and what its owner should know', async () => {
    const long = 'v'.repeat(100);
    const text = `{"a":"1","b c":"","a":"${long}"}`;
    const report = await checked('a.json.gz', gzipSync(text));
    expect(report).toMatchObject({
      verdict: 'sound',
      ...{ format: 'json', formatBy: 'first bytes', compression: 'gzip', sum: 'absent' },
      errors: [],
      md5: md5(gzipSync(text)),
    });
    expect(report.warnings).toEqual([
      expect.stringMatching(/^1 record has a key that came before.*"a", at byte 18/),
      expect.stringMatching(/^1 key has a space/),
    ]);
    expect(report.contents).toMatchObject({
      ...{ keys: 2, records: 3, keyBytes: 4, valueBytes: 100 },
      ...{ longestKeyBytes: 3, longestValueBytes: 100 },
      keySizes: [
        { from: 1, to: 1, count: 1 },
        { from: 2, to: 3, count: 1 },
      ],
      valueSizes: [
        { from: 0, to: 0, count: 1 },
        { from: 64, to: 127, count: 1 },
      ],
      sample: ['b c', 'a'],
    });
  });

  test('compares it with the sum beside it', async () => {
    const path = file('a.json', '{"a":"1"}');
    writeFileSync(`${path}.md5`, `${md5('{"a":"1"}')}  a.json\n`);
    expect(await checkFile(path)).toMatchObject({ sum: 'right', verdict: 'sound' });
    writeFileSync(`${path}.md5`, `${md5('other')}  a.json\n`);
    const wrong = await checkFile(path);
    expect(wrong).toMatchObject({ sum: 'wrong', verdict: 'unsound', contents: { keys: 1 } });
    expect(errorsOf(wrong)).toEqual([expect.stringMatching(/^a\.json\.md5 says .*SUM_MISMATCH/)]);
    writeFileSync(`${path}.md5`, 'what?');
    expect(errorsOf(await checkFile(path))).toEqual([
      'a.json.md5: expected the MD5 of a.json, found "what?" (SUM_INVALID)',
    ]);
  });

  test('shows keys from all over the file', async () => {
    const lines = Array.from({ length: 100 }, (_, i) => `{"key":"${i}","value":"x"}\n`).join('');
    const { contents } = await checked('a.jsonl', lines, { sampleMax: 4 });
    expect(contents?.sample).toEqual(['0', '25', '50', '75']);
  });

  test('counts a table once in a slot, and reads it as it is asked to be', async () => {
    const path = join(temporaryFolder(), 'table.db');
    const { bytes } = await writeTable(path, [['a', '1', 7]]);
    const contents = { tableBytes: bytes, slotBytes: bytes };
    expect(await checkFile(path)).toMatchObject({ format: 'table', contents });
    const other = await checkFile(path, { storage: 'json' });
    expect(other).toMatchObject({ formatBy: 'storage', format: 'json', verdict: 'unsound' });
  });
});

describe('a check of a bad file', () => {
  const BAD = '{"key":"a","value":"b"}\n{"key":1}\n\nxx\n{"key":"c","value":"d"}\n{"key"';

  test('tells each bad line of JSON Lines, up to as many as are asked for', async () => {
    const errors = [
      'a.jsonl: expected a string at byte 31, line 2, found a number (FORMAT_UNSUPPORTED)',
      expect.stringMatching(/^a\.jsonl: expected a record, .* at byte 35, line 4, found "x"/),
      expect.stringMatching(/^a\.jsonl: expected a colon .* at byte 68, line 6, found the end/),
    ];
    const all = await checked('a.jsonl', BAD);
    expect(errorsOf(all)).toEqual(errors);
    expect(all).toMatchObject({ verdict: 'unsound', mayBeMore: false });
    const some = await checked('a.jsonl', BAD, { errorsMax: 2 });
    expect(errorsOf(some)).toEqual(errors.slice(0, 2));
    expect(some.mayBeMore).toBe(true);
    const packed = errorsOf(await checked('a.jsonl', gzipSync(BAD)));
    expect(packed).toHaveLength(3);
    expect(packed[0]).toContain('byte 31 of the decompressed text, line 2');
  });

  test('is not misled by the end of a last line, and has its own fields', async () => {
    const text = '{"k":"a","v":"b"}\n{"k":2}\n{"k":"c","v":"d"}\n\n';
    const fields = { key: 'k', value: 'v' };
    expect(errorsOf(await checked('a.jsonl', text, { fields }))).toEqual([
      'a.jsonl: expected a string at byte 23, line 2, found a number (FORMAT_UNSUPPORTED)',
    ]);
    expect(errorsOf(await checked('a.jsonl', '{"key":"a","value":"b"}\nx\n'))).toHaveLength(1);
  });

  test('tells the first error of other formats, and leaves nothing behind', async () => {
    const scratchDir = temporaryFolder();
    const report = await checked('a.json', '{"a":1,"b":2}', { scratchDir });
    expect(errorsOf(report)).toEqual([expect.stringMatching(/"a".*found a number/)]);
    expect(report.mayBeMore).toBe(true);
    expect(readdirSync(scratchDir)).toEqual([]);
  });

  test('does not blame the file for a folder that cannot be written', async () => {
    const scratchDir = join(temporaryFolder(), 'none');
    const checking = checked('a.json', '{"a":"1"}', { scratchDir });
    await expect(checking).rejects.toMatchObject({ code: 'FOLDER_UNUSABLE' });
  });

  test('of what is no file says so', async () => {
    const { base } = await serving();
    await expect(checkFile(base)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(checkFile(`${base}.none`)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });
});

describe('a check with guards', () => {
  const many = JSON.stringify(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [i, 'x'])));

  test('refuses what a server with them would', async () => {
    const key = Buffer.from('a');
    const guards = { minKeys: 2 };
    const few = await checked('a.json', '{"a":"1"}', { guards });
    expect(few).toMatchObject({ verdict: 'refused', refusal: { code: 'TOO_FEW_KEYS' } });
    const canaries = [{ key, value: Buffer.from('2') }];
    const canary = await checked('a.json', '{"a":"1"}', { guards: { canaries } });
    expect(canary.refusal).toMatchObject({ code: 'CANARY_MISSING' });
    const fine = { canaries: [{ key, value: undefined }], minKeys: 1 };
    expect(await checked('a.json', '{"a":"1"}', { guards: fine })).toMatchObject({
      verdict: 'sound',
    });
  });

  test('compares with what serves: a file, or a generation', async () => {
    const against = file('many.json', many);
    const shrunk = await checked('a.json', '{"1":"x","a":"1"}', {
      against,
      guards: { maxShrinkPercent: 10 },
    });
    expect(shrunk.refusal).toEqual({
      code: 'SHRUNK_TOO_MUCH',
      message: `95.0% fewer keys: 2, in place of the 40 of ${against}; expected at most 10% (-max-shrink)`,
    });
    expect(shrunk.against).toMatchObject({ place: against, keys: 40, added: 1, removed: 39 });
    const told = await checked('a.json', '{"1":"x"}', { against });
    expect(told.warnings).toEqual([expect.stringMatching(/97\.5% fewer keys.*-max-shrink/)]);
    const { base } = await serving();
    const empty = await checked('a.json', '{}', { against: base });
    expect(empty.refusal).toMatchObject({ code: 'TOO_FEW_KEYS' });
    expect(empty.refusal?.message).toContain(base);
  });
});

test('says what to do where there is no folder for the table that it makes', async () => {
  const scratchDir = join(temporaryFolder(), 'none');
  await expect(checked('a.json', '{"a":"1"}', { scratchDir })).rejects.toThrow(
    /^cannot write .*: it does not exist: create it, or correct the path \(ENOENT: .*\), or name another folder by TMPDIR$/,
  );
});
