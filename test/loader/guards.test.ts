import { describe, expect, test } from 'vitest';
import { GoromdbError } from '../../src/common/errors.ts';
import { checkRoom, type Need } from '../../src/loader/generations/admission.ts';
import {
  checkGuards,
  type Guards,
  REPLAY_LOOKUPS_MIN,
} from '../../src/loader/generations/guards.ts';
import type { SampledLookup } from '../../src/storage/lookup-sample.ts';
import type { DataSetInfo } from '../../src/storage/storage.ts';
import { infoOf, type TestRecord, tableOf } from '../support/storages.ts';

function records(count: number): readonly TestRecord[] {
  return Array.from({ length: count }, (_, i): TestRecord => [`key:${i}`, `value ${i}`]);
}

function lookups(count: number, wasHit = true, first = 0): readonly SampledLookup[] {
  return Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`key:${first + i}`),
    wasHit,
  }));
}

/** What the guards say to so many keys; undefined when they let them pass. */
function judge(
  guards: Guards,
  keys: number,
  serving?: DataSetInfo,
  sample: readonly SampledLookup[] = [],
): GoromdbError | undefined {
  try {
    checkGuards(guards, tableOf(records(keys)), serving, () => sample);
    return undefined;
  } catch (error) {
    if (error instanceof GoromdbError) return error;
    throw error;
  }
}

describe('-min-keys', () => {
  test('refuses fewer keys, with both numbers, and takes as many', () => {
    expect(judge({ minKeys: 10 }, 9)).toMatchObject({
      code: 'TOO_FEW_KEYS',
      message: 'expected at least 10 keys (-min-keys), found 9',
      numbers: { minKeys: 10, keys: 9 },
    });
    expect(judge({ minKeys: 10 }, 10)).toBeUndefined();
  });
});

describe('-max-shrink', () => {
  const guards = { maxShrinkPercent: 10 };

  test('refuses fewer keys than the serving generation by more than that', () => {
    const serving = infoOf(100, 1, 4);
    expect(judge(guards, 89, serving)).toMatchObject({
      code: 'SHRUNK_TOO_MUCH',
      message:
        '11.0% fewer keys: 89, in place of the 100 of generation 4; expected at most 10% (-max-shrink)',
      numbers: { keys: 89, before: 100, percent: 11, maxShrinkPercent: 10 },
    });
    expect(judge(guards, 90, serving)).toBeUndefined();
    expect(judge({ maxShrinkPercent: 0 }, 100, serving)).toBeUndefined();
  });

  test('refuses fewer bytes with as many keys', () => {
    const error = judge(guards, 100, infoOf(100, 1_000_000, 4));
    expect(error).toMatchObject({ code: 'SHRUNK_TOO_MUCH' });
    expect(error?.message).toMatch(
      /^9\d\.\d% fewer bytes: \d+, in place of the 1000000 of generation 4;/,
    );
  });

  test('lets anything pass that grows, and anything when nothing serves', () => {
    expect(judge(guards, 1000, infoOf(1, 1))).toBeUndefined();
    expect(judge(guards, 0, undefined)).toBeUndefined();
    expect(judge(guards, 0, infoOf(0, 0))).toBeUndefined();
  });
});

describe('-canary', () => {
  const canary = (key: string, value?: string) => ({
    canaries: [
      { key: Buffer.from(key), value: value === undefined ? undefined : Buffer.from(value) },
    ],
  });

  test('refuses a file without the key', () => {
    expect(judge(canary('none\n'), 3)).toMatchObject({
      code: 'CANARY_MISSING',
      message: 'expected the key "none\\n" (-canary), found none such',
    });
    expect(judge(canary('key:2'), 3)).toBeUndefined();
  });

  test('refuses another value, and shows both, long ones in part', () => {
    expect(judge(canary('key:2', 'value 9'), 3)).toMatchObject({
      code: 'CANARY_MISSING',
      message: 'expected "value 9" as the value of "key:2" (-canary), found "value 2"',
    });
    expect(judge(canary('key:2', 'x'.repeat(100)), 3)?.message).toContain(
      `expected "${'x'.repeat(60)}"… (100 bytes) as`,
    );
    expect(judge(canary('key:2', 'value 2'), 3)).toBeUndefined();
    expect(judge(canary('key:2', ''), 3)).toMatchObject({ code: 'CANARY_MISSING' });
  });
});

describe('-max-hit-drop', () => {
  const guards = { maxHitDropPercent: 5 };
  const serving = infoOf(1000, 1);

  test('refuses a file that misses what clients found, and names some of it', () => {
    const error = judge(guards, 180, serving, lookups(200));
    expect(error).toMatchObject({
      code: 'HIT_RATE_DROPPED',
      numbers: { lookups: 200, hitsBefore: 200, hitsAfter: 180, percent: 10, maxHitDropPercent: 5 },
    });
    expect(error?.message).toBe(
      'of 200 lookups that clients made of late 200 were hits and 180 would be, 10.0% fewer; ' +
        'expected at most 5% (-max-hit-drop); missing are "key:180", "key:181", "key:182"',
    );
  });

  test('goes by hits: what was a miss before does not count against the file', () => {
    const sample = [...lookups(100), ...lookups(900, false, 5000)];
    expect(judge(guards, 95, serving, sample)).toBeUndefined();
    expect(judge(guards, 94, serving, sample)).toMatchObject({ code: 'HIT_RATE_DROPPED' });
    expect(judge(guards, 10, serving, lookups(200, false, 5000))).toBeUndefined();
  });

  test('says nothing on few lookups, or when nothing serves', () => {
    expect(judge(guards, 0, serving, lookups(REPLAY_LOOKUPS_MIN - 1))).toBeUndefined();
    expect(judge(guards, 0, serving, lookups(REPLAY_LOOKUPS_MIN))).toBeDefined();
    expect(judge(guards, 0, undefined, lookups(1000))).toBeUndefined();
  });
});

describe('room', () => {
  const need: Need = {
    fileBytes: 10e6,
    isCopied: true,
    slotFile: '/base/data00/data.db',
    serving: undefined,
  };
  const free = (bytes: number) => () => Promise.resolve(bytes);

  test('is refused where a copy of the file has no place on the disk', async () => {
    await expect(checkRoom(need, free(10e6))).rejects.toMatchObject({
      code: 'DISK_FULL',
      message:
        'expected 10 MB of free space for the slot in /base/data00, found 10 MB, which is 66 kB ' +
        'too little: make room on that disk',
      numbers: { diskFree: 10e6 },
    });
    await checkRoom({ ...need, isCopied: false }, free(65_536));
    await expect(checkRoom({ ...need, isCopied: false }, free(65_535))).rejects.toMatchObject({
      code: 'DISK_FULL',
    });
  });

  test('is refused where the table has no place, as far as can be known', async () => {
    // As much for a byte of the file as the serving generation takes, within reason.
    const serving = { fileBytes: 100, tableBytes: 50 };
    const moved = { ...need, isCopied: false, serving };
    await checkRoom(moved, free(5_065_536));
    await expect(checkRoom(moved, free(5_065_535))).rejects.toMatchObject({
      code: 'DISK_FULL',
      numbers: { diskBytes: 5_065_536, diskFree: 5_065_535 },
    });
    const huge = { ...moved, serving: { fileBytes: 1, tableBytes: 1000 } };
    await expect(checkRoom(huge, free(80e6))).rejects.toMatchObject({
      numbers: { diskBytes: 80_065_536 },
    });
  });

  test('of this machine is known', async () => {
    await checkRoom({ ...need, slotFile: import.meta.filename });
  });
});
