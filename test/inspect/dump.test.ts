import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildTable } from '../../src/build/build.ts';
import { type DumpOptions, dumpFile } from '../../src/inspect/dump.ts';
import { serving } from '../loader/loader-harness.ts';
import { temporaryFolder } from '../support/folder.ts';
import type { TestRecord } from '../support/storages.ts';
import { writeTable } from '../support/table-file.ts';

async function dumped(place: string, options?: DumpOptions): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await dumpFile(place, (bytes) => pieces.push(Buffer.from(bytes)), options);
  return Buffer.concat(pieces);
}

async function table(records: readonly TestRecord[]): Promise<string> {
  const path = join(temporaryFolder(), 'table.db');
  await writeTable(path, records);
  return path;
}

/** Builds the dump of a file, and tells whether that is the same file. */
async function comesBack(path: string): Promise<boolean> {
  const lines = `${path}.jsonl`;
  const out = `${path}.again`;
  writeFileSync(lines, await dumped(path));
  await buildTable({ out, inputs: [lines] });
  return readFileSync(out).equals(readFileSync(path));
}

describe('a dump', () => {
  test('has a line for each record, with what JSON has no text for in base64', async () => {
    const path = await table([
      ['a', 'b'],
      ['"\\\n\0', 'é', 7],
      ['\xff', '\xc3\x28', 2 ** 32 - 1],
      ['', ''],
    ]);
    expect((await dumped(path)).toString()).toBe(
      [
        '{"key":"a","value":"b"}',
        '{"key":"\\"\\\\\\n\\u0000","valueBase64":"6Q==","flags":7}',
        '{"keyBase64":"/w==","valueBase64":"wyg=","flags":4294967295}',
        '{"key":"","value":""}',
        '',
      ].join('\n'),
    );
  });

  test('is built to the same table, byte for byte', async () => {
    const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
    const bytes = fc.oneof(
      fc.string({ unit: byte, maxLength: 8 }),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text).toString('latin1')),
    );
    const flags = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
    const records = fc.array(fc.tuple(bytes, bytes, flags), { minLength: 1, maxLength: 30 });
    const property = fc.asyncProperty(records, async (some) => {
      expect(await comesBack(await table(some))).toBe(true);
    });
    await fc.assert(property, { numRuns: 25 });
  });

  test('is built to the same table when records are longer than what is written at once', async () => {
    const long = (bytes: Buffer): TestRecord => [`${bytes[0]}`, bytes];
    const escaped = Buffer.alloc(700_001, '"');
    const binary = Buffer.alloc(700_001, 255);
    const plain = Buffer.alloc(700_001, 'p');
    const zeros = Buffer.alloc(100_001);
    const middle = Buffer.alloc(300_001, 'm');
    const path = await table([
      ['a', 'b'],
      ...[escaped, zeros, binary, plain, middle].map(long),
      ['c', 'd'],
    ]);
    expect(await comesBack(path)).toBe(true);
  });

  test('has the keys alone, and those of a pattern, when they are asked for', async () => {
    const path = await table([
      ['user:1', 'a'],
      ['user:2', 'b'],
      ['order:1', 'c'],
    ]);
    const text = await dumped(path, { keysOnly: true, match: 'user:*' });
    expect(text.toString()).toBe('{"key":"user:1"}\n{"key":"user:2"}\n');
  });

  test('reads a generation, and any format', async () => {
    const { base } = await serving();
    expect((await dumped(`${base}@previous`)).toString()).toBe('{"key":"v","value":"1"}\n');
    const json = join(temporaryFolder(), 'a.json');
    writeFileSync(json, '{"b":{"k":"v"}}');
    const text = await dumped(json, { namespaces: { delimiter: '/' } });
    expect(text.toString()).toBe('{"key":"b/k","value":"v"}\n');
  });

  test('ends with FILE_CHANGED when the file is written to meanwhile', async () => {
    const path = join(temporaryFolder(), 'grows.mjs');
    const scan = `(input) => appendFileSync(input.path, ' ')`;
    const text = `import { appendFileSync } from 'node:fs'; export default { format: 'x', scan: ${scan} };`;
    writeFileSync(path, text);
    const storage = new URL(`file://${path}`).href;
    await expect(dumped(path, { storage })).rejects.toMatchObject({ code: 'FILE_CHANGED' });
  });
});
