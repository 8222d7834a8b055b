import { type ErrorCode, GoromdbError } from '../../common/errors.ts';
import type { SampledLookup } from '../../storage/lookup-sample.ts';
import { replay } from '../../storage/replay.ts';
import type { DataSetInfo, Storage } from '../../storage/storage.ts';

/** A record that every generation must have. */
export interface Canary {
  readonly key: Buffer;
  /** Undefined: any. */
  readonly value: Buffer | undefined;
}

/** What the owner of a data set asks of each new generation. What is left out is not asked. */
export interface Guards {
  readonly minKeys?: number | undefined;
  /** By how many percent keys or bytes may be fewer than those of the serving generation. */
  readonly maxShrinkPercent?: number | undefined;
  readonly canaries?: readonly Canary[] | undefined;
  /** By how many percent fewer of the lookups that clients made of late may be hits. */
  readonly maxHitDropPercent?: number | undefined;
}

/** With fewer sampled lookups than this, chance says more than they do. */
export const REPLAY_LOOKUPS_MIN = 100;

/**
 * A new generation that is smaller by more than this is warned of, where no guard says how much may
 * be.
 */
const SHRINK_NOTICE_PERCENT = 50;

/** Bytes of a key or value that a message shows. */
const SHOWN_BYTES_MAX = 60;

/**
 * Refuses to replace records by nothing, which hardly anybody means to do. Whoever does says so by
 * `-min-keys 0`.
 *
 * @param notices The scanner's warnings: they may say where the records are.
 * @throws GoromdbError TOO_FEW_KEYS.
 */
export function checkNotEmpty(
  { minKeys }: Guards,
  { keys }: DataSetInfo,
  serving: DataSetInfo | undefined,
  notices: readonly string[],
): void {
  const before = serving?.keys ?? 0;
  if (keys > 0 || before === 0 || minKeys !== undefined) return;
  const message =
    `expected at least one key in place of the ${before} of generation ${serving?.generation}, found ` +
    `none${notices.map((notice) => `; ${notice}`).join('')}. If it is meant to be empty, drop it with a ` +
    '.force mark, or allow it with -min-keys 0';
  throw refusal('TOO_FEW_KEYS', message, { minKeys: 1, keys });
}

/** What the owner of a data set should know who has not said how much it may shrink. */
export function shrinkNotices(
  { maxShrinkPercent }: Guards,
  { keys, bytes }: DataSetInfo,
  serving: DataSetInfo | undefined,
): readonly string[] {
  if (maxShrinkPercent !== undefined || serving === undefined) return [];
  const [what, found, before] =
    dropPercent(serving.keys, keys) > SHRINK_NOTICE_PERCENT
      ? ['keys', keys, serving.keys]
      : ['bytes in the table', bytes, serving.bytes];
  const percent = dropPercent(before, found);
  if (percent <= SHRINK_NOTICE_PERCENT) return [];
  return [
    `${fewer(what, percent, found, before)} of generation ${serving.generation}; -max-shrink ` +
      'refuses such a file',
  ];
}

/** `99.0% fewer keys: 1, in place of the 100`. */
function fewer(what: string, percent: number, found: number, before: number): string {
  return `${percent.toFixed(1)}% fewer ${what}: ${found}, in place of the ${before}`;
}

/**
 * Refuses a generation that is sound but not what its owner wants.
 *
 * @param candidate As it would serve; only looked at.
 * @param serving The serving generation; undefined when there is none.
 * @param sample Lookups that clients made of late.
 * @throws GoromdbError TOO_FEW_KEYS, SHRUNK_TOO_MUCH, CANARY_MISSING, HIT_RATE_DROPPED.
 */
export function checkGuards(
  guards: Guards,
  candidate: Storage,
  serving: DataSetInfo | undefined,
  sample: () => readonly SampledLookup[],
): void {
  const { minKeys = 0, maxShrinkPercent, canaries = [], maxHitDropPercent } = guards;
  const { keys } = candidate.info;
  if (keys < minKeys) {
    const message = `expected at least ${minKeys} keys (-min-keys), found ${keys}`;
    throw refusal('TOO_FEW_KEYS', message, { minKeys, keys });
  }
  if (maxShrinkPercent !== undefined && serving !== undefined) {
    checkShrink('keys', candidate.info, serving, maxShrinkPercent);
    checkShrink('bytes', candidate.info, serving, maxShrinkPercent);
  }
  for (const canary of canaries) checkCanary(candidate, canary);
  if (maxHitDropPercent !== undefined && serving !== undefined) {
    checkHitRate(candidate, sample(), maxHitDropPercent);
  }
}

function checkShrink(
  what: 'keys' | 'bytes',
  candidate: DataSetInfo,
  serving: DataSetInfo,
  maxShrinkPercent: number,
): void {
  const found = candidate[what];
  const before = serving[what];
  const percent = dropPercent(before, found);
  if (percent <= maxShrinkPercent) return;
  const message =
    `${fewer(what, percent, found, before)} of generation ${serving.generation}; expected at most ` +
    `${maxShrinkPercent}% (-max-shrink)`;
  throw refusal('SHRUNK_TOO_MUCH', message, { [what]: found, before, percent, maxShrinkPercent });
}

function checkCanary(candidate: Storage, { key, value }: Canary): void {
  const entry = candidate.get(key, 0, key.length);
  if (entry === undefined) {
    throw refusal('CANARY_MISSING', `expected the key ${show(key)} (-canary), found none such`);
  }
  const found = entry.buffer.subarray(entry.valueStart, entry.valueEnd);
  if (value === undefined || value.equals(found)) return;
  const message = `expected ${show(value)} as the value of ${show(key)} (-canary), found ${show(found)}`;
  throw refusal('CANARY_MISSING', message);
}

function checkHitRate(
  candidate: Storage,
  sample: readonly SampledLookup[],
  maxHitDropPercent: number,
): void {
  if (sample.length < REPLAY_LOOKUPS_MIN) return;
  const { lookups, hitsBefore, hitsAfter, missed } = replay(candidate, sample);
  const percent = dropPercent(hitsBefore, hitsAfter);
  if (percent <= maxHitDropPercent) return;
  const message =
    `of ${lookups} lookups that clients made of late ${hitsBefore} were hits and ${hitsAfter} would ` +
    `be, ${percent.toFixed(1)}% fewer; expected at most ${maxHitDropPercent}% (-max-hit-drop); ` +
    `missing are ${missed.map(show).join(', ')}`;
  throw refusal('HIT_RATE_DROPPED', message, {
    ...{ lookups, hitsBefore, hitsAfter, percent, maxHitDropPercent },
  });
}

function dropPercent(before: number, now: number): number {
  return before === 0 ? 0 : ((before - now) / before) * 100;
}

/** Bytes as a message can show them. */
function show(bytes: Buffer): string {
  const text = JSON.stringify(bytes.toString('utf8', 0, SHOWN_BYTES_MAX));
  return bytes.length > SHOWN_BYTES_MAX ? `${text}… (${bytes.length} bytes)` : text;
}

function refusal(
  code: ErrorCode,
  message: string,
  numbers: Readonly<Record<string, number>> = {},
): GoromdbError {
  return new GoromdbError(code, message, { numbers });
}
