import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import type { Guards } from '../../src/loader/generations/guards.ts';
import { temporaryFolder } from '../support/folder.ts';
import { LoaderHarness, version } from './loader-harness.ts';
import { SomeSource, someOffer } from './some-source.ts';

const { signal } = new AbortController();

/** A loader that serves version 1 as generation 1, of a source that has nothing to do with a drop folder. */
async function started(
  options: { readonly guards?: Guards } = {},
): Promise<{ harness: LoaderHarness; source: SomeSource }> {
  const source = new SomeSource();
  const harness = new LoaderHarness({ source, ...options });
  await harness.start();
  source.start(harness.loader);
  expect(await source.give(version(1))).toEqual({ kind: 'taken' });
  return { harness, source };
}

test('a source of its own has its offers served, rejected and rolled back, and is notified', async () => {
  const { harness, source } = await started();
  expect(await source.give('[]')).toEqual({ kind: 'rejected' });
  expect(harness.logger.lines.at(-1)).toMatch(
    /^error rejected .*: .* \(FORMAT_UNSUPPORTED\); it is forgotten; generation 1 from .* keeps serving$/,
  );
  await source.give(version(2));
  expect(harness.record('data01')).toMatchObject({ generation: 2, source: 'memory:it' });
  await harness.loader.rollback();
  expect(harness.value).toBe('1');
  const states = source.notices.filter((one) => one !== 'verifying' && one !== 'loading');
  expect(states).toEqual(['resume undefined', 'serving', 'serving', 'rolled back']);
  await harness.end();
  await harness.start();
  expect(source.notices.at(-1)).toBe('resume 3');
});

test('an offer is notified of the progress of its load in percent', async () => {
  const scanner = join(temporaryFolder(), 'scanner.mjs');
  const go = `${scanner}.go`;
  writeFileSync(
    scanner,
    `import { existsSync } from 'node:fs';
    import { setTimeout } from 'node:timers/promises';
    export default {
      format: 'slow',
      async scan({ size }, { onProgress }, sink) {
        onProgress(size / 2);
        while (!existsSync('${go}')) await setTimeout(5);
        sink.add(Buffer.from('v'), 0, 1, Buffer.from('1'), 0, 1, 0);
      },
    };`,
  );
  const source = new SomeSource();
  const harness = new LoaderHarness({ source, scanner: pathToFileURL(scanner).href });
  await harness.start();
  source.start(harness.loader);
  const verdict = source.give('half of this');
  const half = { state: 'loading', stage: 'scan', percent: 50 };
  const polled = expect.poll(() => source.news).toContainEqual(half);
  await polled.finally(() => writeFileSync(go, ''));
  expect(await verdict).toEqual({ kind: 'taken' });
  expect(source.news[0]).toEqual({ state: 'verifying', percent: 0 });
});

test('an offer is staged under a number from outside, and serves when it is swapped in', async () => {
  const { harness } = await started();
  const staged = await harness.loader.stage(someOffer(version(7)), signal, 7);
  if (staged.kind !== 'staged') throw new Error(staged.kind);
  expect(harness.value).toBe('1');
  expect(await staged.swap(signal)).toEqual({ kind: 'taken' });
  expect([harness.value, harness.generation]).toEqual(['7', 7]);
  expect(harness.record('data01').generation).toBe(7);
  expect(await staged.swap(signal)).toEqual({ kind: 'changed' });
});

test('a staged offer that is released leaves nothing, nor does one that a guard refuses', async () => {
  const { harness } = await started({
    guards: { canaries: [{ key: Buffer.from('v'), value: undefined }] },
  });
  const first = await harness.loader.stage(someOffer(version(7)), signal, 7);
  if (first.kind !== 'staged') throw new Error(first.kind);
  await first.release();
  expect(readdirSync(join(harness.base, 'data01'))).toEqual([]);
  const second = await harness.loader.stage(someOffer('{"w":"8"}'), signal, 8);
  expect(second).toEqual({ kind: 'rejected' });
  expect(readdirSync(join(harness.base, 'data01'))).toEqual([]);
});

test('a staged offer whose place another load took does not serve', async () => {
  const { harness, source } = await started();
  const staged = await harness.loader.stage(someOffer(version(7)), signal, 7);
  expect(await source.give('[]')).toEqual({ kind: 'rejected' });
  expect(staged.kind === 'staged' && (await staged.swap(signal))).toEqual({ kind: 'changed' });
  expect([harness.value, harness.generation]).toEqual(['1', 1]);
});

test('a staged offer does not serve from a slot that a rollback has gone back to', async () => {
  const { harness, source } = await started();
  await source.give(version(2));
  const staged = await harness.loader.stage(someOffer(version(3)), signal, 3);
  await harness.loader.rollback();
  expect(staged.kind === 'staged' && (await staged.swap(signal))).toEqual({ kind: 'changed' });
  expect(harness.value).toBe('1');
  expect(existsSync(join(harness.base, 'data00', 'table.mdb.incoming'))).toBe(false);
});

test('a number that was given before is refused', async () => {
  const { harness } = await started();
  await expect(harness.loader.stage(someOffer(version(7)), signal, 1)).rejects.toThrow(
    'expected the number of a generation above 1, found 1',
  );
});
