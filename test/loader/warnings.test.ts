import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readReceipt } from '../../src/loader/drops/receipt.ts';
import { readSlots } from '../../src/loader/slots/slots.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { LoaderHarness } from './loader-harness.ts';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../fixtures/${name}`, import.meta.url));

/** Warnings as the log, the receipt and the slot's record have them; they must agree. */
function warningsOf(harness: LoaderHarness, slot: string): readonly string[] {
  const { generation, warnings = [] } = harness.record(slot);
  const start = `warn in generation ${generation} from ${harness.file}: `;
  const logged = harness.logger.lines.filter((line) => line.startsWith(start));
  expect(logged.map((line) => line.slice(start.length))).toEqual(warnings);
  const receipt = harness.receipt();
  expect(receipt.state === 'serving' && (receipt.warnings ?? [])).toEqual(warnings);
  return warnings;
}

const SPACES = '{"a":"","New York":"1","Los Angeles":"2"}';

describe('a warning', () => {
  test.each([
    ['lmdb/v1-binary.mdb'],
    ['lmdb/v2-binary.mdb'],
    ['bolt/binary.db'],
    ['bdb/btree-binary.db'],
    ['bdb/hash-binary.db'],
  ])('about keys names the place of the first one: %s', async (name) => {
    const harness = new LoaderHarness({ scanner: 'auto' });
    await harness.start();
    const bytes = fixture(name);
    expect(await harness.load(bytes)).toEqual({ kind: 'taken' });
    await harness.end();
    const [first] = warningsOf(harness, 'data00');
    const { key, at } =
      /^\d+ keys have a space .*; the first is (?<key>".*"), at page \d+, byte (?<at>\d+)$/.exec(
        first,
      )!.groups!;
    const near = bytes.subarray(Number(at), Number(at) + 16);
    expect(near.includes(Buffer.from(JSON.parse(key)))).toBe(true);
  });

  test('stays with its generation when that is loaded again, and when it is rolled back to', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    await harness.load(SPACES);
    await harness.end();
    const warnings = warningsOf(harness, 'data00');
    expect(warnings).toHaveLength(1);
    rmSync(join(harness.base, 'data00', 'table.mdb'));
    // As an older version wrote it.
    const { warnings: _, ...record } = harness.record('data00');
    writeFileSync(join(harness.base, 'data00', 'generation.json'), JSON.stringify(record));
    harness.logger.lines.length = 0;
    await harness.start();
    await harness.end();
    expect(warningsOf(harness, 'data00')).toEqual(warnings);
    await harness.start();
    await harness.load('{"v":"1","w":"2"}');
    await harness.loader.rollback();
    await harness.end();
    expect(harness.record('data00')).toMatchObject({ generation: 3, restores: 1, warnings });
  });

  test('is in a receipt that a crash left behind, after the next start', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    await harness.load(SPACES);
    await harness.end();
    const loading = { ...harness.receipt(), state: 'loading', stage: 'scan', percent: 40 };
    writeFileSync(`${harness.file}.status.json`, JSON.stringify(loading));
    harness.logger.lines.length = 0;
    await harness.start();
    await harness.end();
    expect(warningsOf(harness, 'data00')).toHaveLength(1);
  });
});

/** A scanner of a user that finds no record, or one, and has much to say. */
function talkative(notices: number, text: string): string {
  const path = join(temporaryFolder(), 'scanner.mjs');
  writeFileSync(
    path,
    `const scan = async ({ size }, { onNotice }, sink) => {
      for (let i = 0; i < ${notices}; i++) onNotice(i + ${JSON.stringify(text)});
      const bytes = new Uint8Array([118, 49]);
      if (size > 1) sink.add(bytes, 0, 1, bytes, 1, 2, 0);
    };
    export default { format: 'own', scan };`,
  );
  return pathToFileURL(path).href;
}

test.each([
  ['quotes', '"'.repeat(5_000)],
  ['characters of three bytes', '€'.repeat(5_000)],
  ['halves of characters', '\ud800'.repeat(5_000)],
])(
  'of many long warnings so much is kept that the slot’s record can be read again: %s',
  async (_, text) => {
    const scanner = talkative(40, text);
    const harness = new LoaderHarness({ scanner });
    await harness.start();
    await harness.load('more');
    // Whatever is replaced by nothing is told as well, with all that the scanner had to say.
    drop(harness.file, '-');
    expect(await harness.offer(md5('-'), { force: true })).toEqual({ kind: 'taken' });
    await harness.end();
    const warnings = warningsOf(harness, 'data01');
    expect(warnings.at(-2)).toBe('there are 24 more warnings');
    expect(warnings.at(-1)).toMatch(
      /^served in spite of this, by its .force mark: expected at least/,
    );
    for (const warning of warnings) expect(warning.length).toBeLessThanOrEqual(1_000);
    expect(await harness.start()).toBe(true);
    expect(harness.generation).toBe(2);
  },
);

describe('warnings that nobody wrote', () => {
  test.each([[5], ['a text'], [[1]], [null]])('make no receipt: %j', async (warnings) => {
    const file = join(temporaryFolder(), 'data.json');
    const receipt = { state: 'serving', generation: 1, keys: 1, seconds: {}, file };
    writeFileSync(`${file}.status.json`, JSON.stringify({ ...receipt, warnings: ['a text'] }));
    expect(await readReceipt(file)).toMatchObject({ warnings: ['a text'] });
    writeFileSync(`${file}.status.json`, JSON.stringify({ ...receipt, warnings }));
    expect(await readReceipt(file)).toBeUndefined();
  });

  test.each([[5], ['a text'], [[1]], [null]])('make no record: %j', async (warnings) => {
    const harness = new LoaderHarness();
    await harness.start();
    await harness.load(SPACES);
    await harness.end();
    const path = join(harness.base, 'data00', 'generation.json');
    const record = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...record, warnings }));
    const slots = await readSlots(harness.base, () => {});
    expect(slots.map((slot) => slot.record)).toEqual([undefined]);
  });
});
