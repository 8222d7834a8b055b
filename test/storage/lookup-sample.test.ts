import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Asker, createLookupMemory, LookupCounts } from '../../src/storage/lookup-counts.ts';
import {
  createSampleMemory,
  LookupSampler,
  readSample,
  SAMPLE_WINDOW_SECONDS,
} from '../../src/storage/lookup-sample.ts';
import { replay } from '../../src/storage/replay.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { tableOf } from '../support/storages.ts';

const RECORDS = Array.from({ length: 10 }, (_, i) => [`key:${i}`, `value ${i}`] as const);

function noCounts(): LookupCounts {
  return new LookupCounts(createLookupMemory(1), 0, new Asker());
}

function ask(storage: Storage, key: string | Buffer, times = 1): void {
  const around = Buffer.concat([Buffer.from('get '), Buffer.from(key), Buffer.from('\r\n')]);
  for (let i = 0; i < times; i++) storage.get(around, 4, around.length - 2);
}

/** A clock of seconds that the test moves. */
function clock(): { seconds: number } {
  const now = { seconds: 1000 };
  const spy = vi.spyOn(process, 'hrtime');
  (spy as unknown as { mockImplementation(f: () => [number, number]): void }).mockImplementation(
    () => [now.seconds, 0],
  );
  onTestFinished(() => spy.mockRestore());
  return now;
}

describe('a sample of lookups', () => {
  test('holds keys that were asked for, and whether they were hits', () => {
    const memory = createSampleMemory(1);
    const sampler = new LookupSampler(memory, 0, 1);
    const storage = sampler.observe(tableOf(RECORDS), noCounts());
    sampler.tick();
    ask(storage, 'key:3', 500);
    ask(storage, 'none', 500);
    const found = readSample(memory).map(({ key, wasHit }) => `${key} ${wasHit}`);
    expect(new Set(found)).toEqual(new Set(['key:3 true', 'none false']));
  });

  test('is about as large for many lookups in a second as for few, and all when they are few', () => {
    const now = clock();
    const memory = createSampleMemory(1);
    const sampler = new LookupSampler(memory, 0, 1);
    const storage = sampler.observe(tableOf(RECORDS), noCounts());
    for (const [lookups, least, most] of [
      [10, 9, 10],
      [1_000, 10, 50],
      [20_000, 10, 50],
      [10, 9, 10],
    ]) {
      // The first seconds tell the rate.
      for (let i = 0; i < 3; i++) {
        now.seconds++;
        sampler.tick();
        ask(storage, 'key:1', lookups);
      }
      now.seconds += SAMPLE_WINDOW_SECONDS + 1;
      sampler.tick();
      let total = 0;
      for (let i = 0; i < 20; i++) {
        ask(storage, 'key:1', lookups);
        now.seconds++;
        sampler.tick();
        total = readSample(memory).length;
      }
      expect(total / 20).toBeGreaterThanOrEqual(least * 0.9);
      expect(total / 20).toBeLessThanOrEqual(most);
      now.seconds += SAMPLE_WINDOW_SECONDS + 1;
    }
  });

  test('forgets lookups after the window', () => {
    const now = clock();
    const memory = createSampleMemory(1);
    const sampler = new LookupSampler(memory, 0, 1);
    const storage = sampler.observe(tableOf(RECORDS), noCounts());
    ask(storage, 'key:1', 64);
    expect(readSample(memory)).toHaveLength(1);
    now.seconds += SAMPLE_WINDOW_SECONDS;
    expect(readSample(memory)).toHaveLength(1);
    now.seconds += 1;
    expect(readSample(memory)).toHaveLength(0);
  });

  test('is bounded: the newest take the place of the oldest', () => {
    const memory = createSampleMemory(16);
    const sampler = new LookupSampler(memory, 3, 16);
    const key = Buffer.from('k');
    for (let i = 0; i < 10_000; i++) sampler.take(key, 0, 1, i >= 9_488);
    const sample = readSample(memory);
    expect(sample).toHaveLength(512);
    expect(sample.every(({ wasHit }) => wasHit)).toBe(true);
  });

  test('takes keys of 0 to 250 bytes, byte for byte, and no longer ones', () => {
    const memory = createSampleMemory(1);
    const sampler = new LookupSampler(memory, 0, 1);
    const keys = [Buffer.alloc(0), Buffer.alloc(1, 0xff), Buffer.alloc(250, 7)];
    for (const key of [...keys, Buffer.alloc(251, 8)]) sampler.take(key, 0, key.length, false);
    expect(readSample(memory).map(({ key }) => key)).toEqual(keys);
  });

  test('keeps the threads apart and reads all of them', () => {
    const memory = createSampleMemory(2);
    for (const thread of [0, 1]) {
      const key = Buffer.from(`thread ${thread}`);
      new LookupSampler(memory, thread, 2).take(key, 0, key.length, true);
    }
    expect(readSample(memory).map(({ key }) => key.toString())).toEqual(['thread 0', 'thread 1']);
  });

  test('samples lookups that are made side by side', () => {
    const memory = createSampleMemory(1);
    const sampler = new LookupSampler(memory, 0, 1);
    const { batch } = sampler.observe(tableOf(RECORDS), noCounts());
    for (let round = 0; readSample(memory).length < 2 && round < 10_000; round++) {
      batch!.locate(Buffer.from('key:1 none'), Int32Array.of(0, 5, 6, 10), 2);
      batch!.entry(round % 2);
    }
    for (const { key, wasHit } of readSample(memory)) {
      expect([key.toString(), wasHit]).toEqual(wasHit ? ['key:1', true] : ['none', false]);
    }
  });

  test('lets the storage scan and close as it is', () => {
    const inner = tableOf(RECORDS);
    const close = vi.spyOn(inner, 'close');
    const storage = new LookupSampler(createSampleMemory(1), 0, 1).observe(inner, noCounts());
    let keys = 0;
    storage.scan?.(0, 100, () => void keys++);
    storage.close();
    expect([keys, close.mock.calls.length, storage.info]).toEqual([10, 1, inner.info]);
  });
});

test('a replay counts hits then and now, and keeps some keys that are missed, each once', () => {
  const lookups = ['key:1', 'key:1', 'gone:1', 'gone:1', 'gone:2', 'gone:3', 'gone:4'];
  const sample = lookups.map((key) => ({ key: Buffer.from(key), wasHit: true }));
  const found = replay(tableOf(RECORDS), [...sample, { key: Buffer.from('key:2'), wasHit: false }]);
  expect(found).toMatchObject({ lookups: 8, hitsBefore: 7, hitsAfter: 3 });
  expect(found.missed.map(String)).toEqual(['gone:1', 'gone:2', 'gone:3']);
});
