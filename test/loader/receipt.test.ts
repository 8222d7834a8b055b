import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Receipt, Receipts, readReceipt } from '../../src/loader/drops/receipt.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { LoaderHarness, version } from './loader-harness.ts';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

describe('the receipt of a file', () => {
  test('that serves has its generation, keys, slot, and the seconds of each stage', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    await harness.load(version(1));
    await harness.end();
    const second = expect.any(Number);
    expect(harness.receipt()).toEqual({
      ...{ file: harness.file, md5: md5(version(1)), bytes: 9, at: TIME },
      ...{ state: 'serving', generation: 1, keys: 1, format: 'json', slot: 'data00' },
      seconds: { verify: second, scan: second, index: second, move: second, swap: second },
    });
  });

  test('that is rejected has code, reason, and where it is now', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    await harness.load('[]');
    await harness.end();
    expect(harness.receipt()).toMatchObject({
      ...{ file: harness.file, md5: md5('[]'), bytes: 2, state: 'rejected' },
      code: 'FORMAT_UNSUPPORTED',
      reason: expect.stringMatching(/^\/.*data\.json: .*object/),
      quarantined: `${harness.file}.rejected`,
    });
  });

  test('that waits has the reason', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    harness.source.noteWait({ code: 'SUM_MISSING', text: 'it waits for its sum' });
    await harness.end();
    expect(harness.receipt()).toEqual({
      ...{ file: harness.file, state: 'waiting', at: TIME },
      ...{ code: 'SUM_MISSING', reason: 'it waits for its sum' },
    });
  });

  test('whose load was stopped says so, and not that it is loaded', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    await expect(harness.load(version(1), AbortSignal.abort())).rejects.toThrow();
    await harness.end();
    expect(harness.receipt()).toMatchObject({ state: 'waiting', code: 'LOADER_FAILED' });
  });

  test('that was rolled back says so, and serves again when that is rolled back', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    await harness.load(version(1));
    await harness.load(version(2));
    await harness.loader.rollback();
    await harness.end();
    expect(harness.receipt()).toMatchObject({
      ...{ md5: md5(version(2)), state: 'rolled-back', generation: 3 },
      reason: 'rolled back: the data of generation 1 serves, as generation 3',
    });
    await harness.start();
    await harness.loader.rollback();
    await harness.end();
    expect(harness.receipt()).toMatchObject({
      ...{ md5: md5(version(2)), state: 'serving', generation: 4 },
    });
  });

  test('that a crash left behind is put right at the next start', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    await harness.load(version(1));
    await harness.end();
    const loading = { ...harness.receipt(), state: 'loading', stage: 'scan', percent: 40 };
    writeFileSync(`${harness.file}.status.json`, JSON.stringify(loading));
    await harness.start();
    await harness.end();
    expect(harness.receipt()).toMatchObject({ state: 'serving', generation: 1 });
  });

  test('of a file that was quarantined just before a crash says so after the next start', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    await harness.load('[]');
    await harness.end();
    const { file, bytes } = harness.receipt()!;
    const loading = { file, bytes, md5: md5('[]'), state: 'loading', stage: 'scan', percent: 40 };
    writeFileSync(`${harness.file}.status.json`, JSON.stringify(loading));
    await harness.start();
    await harness.end();
    expect(harness.receipt()).toMatchObject({
      ...{ state: 'rejected', md5: md5('[]'), quarantined: `${harness.file}.rejected` },
      reason: expect.stringContaining('it was refused, and the server ended before'),
    });
  });

  test.each([
    ['a FIFO', (path: string) => void execFileSync('mkfifo', [path])],
    ['a link to what has no end', (path: string) => symlinkSync('/dev/zero', path)],
    ['a folder', (path: string) => mkdirSync(path)],
    ['a receipt without sense', (path: string) => writeFileSync(path, '{"state":"serving"}')],
  ])('does not hold up a start, nor a rollback, where it is %s', async (_, put) => {
    const harness = new LoaderHarness();
    await harness.start();
    await harness.load(version(1));
    await harness.load(version(2));
    await harness.end();
    rmSync(`${harness.file}.status.json`);
    put(`${harness.file}.status.json`);
    expect(await harness.start()).toBe(true);
    await harness.loader.rollback();
    expect(harness.value).toBe('1');
    await harness.end();
  });

  test('of another file is left as it is at a start', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    await harness.load(version(1));
    await harness.load('[]');
    await harness.end();
    await harness.start();
    await harness.end();
    expect(harness.receipt()).toMatchObject({ state: 'rejected', md5: md5('[]') });
  });
});

describe('writing receipts', () => {
  const waiting = (code: string): { state: 'waiting'; code: string; reason: string } => ({
    ...{ state: 'waiting', code, reason: '' },
  });

  test('never leaves a part, and the last word is the last', async () => {
    const file = join(temporaryFolder(), 'data.db');
    const receipts = new Receipts(collectingLogger());
    for (let i = 0; i < 50; i++) {
      receipts.say({ file }, waiting(`CODE_${i}`));
      const isThere = existsSync(`${file}.status.json`);
      if (isThere) expect(await readReceipt(file)).toBeDefined();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await receipts.flush();
    expect(((await readReceipt(file)) as Receipt & { code: string }).code).toBe('CODE_49');
    expect(readdirSync(dirname(file))).toEqual(['data.db.status.json']);
  });

  test('does not write the same again', async () => {
    const file = join(temporaryFolder(), 'data.db');
    const receipts = new Receipts(collectingLogger());
    receipts.say({ file }, waiting('A'));
    await receipts.flush();
    rmSync(`${file}.status.json`);
    receipts.say({ file }, waiting('A'));
    await receipts.flush();
    expect(existsSync(`${file}.status.json`)).toBe(false);
  });

  test('that fails hurts no load, and is warned of once', async () => {
    const harness = new LoaderHarness();
    await harness.start();
    mkdirSync(join(`${harness.file}.status.json.tmp`, 'full'), { recursive: true });
    for (let v = 1; v <= 3; v++) {
      expect(await harness.load(version(v))).toEqual({ kind: 'taken' });
      await harness.end();
    }
    expect(harness.value).toBe('3');
    const warnings = harness.logger.lines.filter((line) => line.startsWith('warn'));
    expect(warnings).toEqual([
      expect.stringMatching(/^warn the receipt .*data\.json\.status\.json cannot be written \(/),
    ]);
  });

  test.each(['', '.tmp'])(
    'does not write through a link that somebody put at its name%s',
    async (suffix) => {
      const folder = temporaryFolder();
      const file = join(folder, 'data.db');
      const victim = join(folder, 'victim');
      writeFileSync(victim, 'precious');
      symlinkSync(victim, `${file}.status.json${suffix}`);
      const receipts = new Receipts(collectingLogger());
      receipts.say({ file }, waiting('A'));
      await receipts.flush();
      expect(readFileSync(victim, 'utf8')).toBe('precious');
      expect(lstatSync(`${file}.status.json`).isFile()).toBe(true);
    },
  );

  test('replaces a FIFO that somebody put at its temporary name', async () => {
    const file = join(temporaryFolder(), 'data.db');
    execFileSync('mkfifo', [`${file}.status.json.tmp`]);
    const receipts = new Receipts(collectingLogger());
    receipts.say({ file }, waiting('A'));
    await receipts.flush();
    expect(await readReceipt(file)).toMatchObject({ code: 'A' });
  });
});
