/** The kinds of values that options have. */
import { resolve } from 'node:path';
import { durationMs } from '../../common/go-duration.ts';
import { THREADS_MAX } from '../../server/limits.ts';
import { misuse, notAllowed, type Parse } from './option.ts';

/** Longest duration, in milliseconds. The timers of Node fire at once after 24.8 days. */
const DURATION_MS_MAX = 24 * 60 * 60 * 1000;

/** The words that Go takes (`strconv.ParseBool`). */
export function parseBoolean(text: string): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw notAllowed(text, 'true, false, t, f, 1 or 0');
}

export const BOOLEAN = { parse: parseBoolean, fallback: 'false' } as const;

/** A parser that takes one of some words. */
export function oneOf<const Word extends string>(...words: Word[]): Parse<Word> {
  const parse = (text: string): Word => {
    const word = words.find((allowed) => allowed === text);
    if (word === undefined) throw notAllowed(text, words.join(' or '));
    return word;
  };
  return Object.assign(parse, { words });
}

/** A parser that takes numbers up to a limit. */
export function atMost(limit: number, parse: (text: string) => number): (text: string) => number {
  return (text) => {
    const value = parse(text);
    if (value <= limit) return value;
    throw misuse(`expected at most ${limit}, found ${value}`);
  };
}

/** A whole number from 1 on. */
export const COUNT = {
  placeholder: 'N',
  toml: 'number',
  parse(text: string): number {
    const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (count >= 1) return count;
    throw notAllowed(text, 'a whole number from 1 to 999999999');
  },
} as const;

/** A number of threads from 1 to {@link THREADS_MAX}. */
export const THREADS = {
  ...COUNT,
  parse(text: string): number {
    const threads = /^\d+$/.test(text) ? Number(text) : 0;
    if (threads >= 1 && threads <= THREADS_MAX) return threads;
    throw notAllowed(text, `a whole number from 1 to ${THREADS_MAX}`);
  },
} as const;

/** A number from 0 to 100, with or without a percent sign. */
export const PERCENT = {
  placeholder: 'PERCENT',
  toml: 'number',
  parse(text: string): number {
    const percent = /^\d+(?:\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
    if (percent <= 100) return percent;
    throw notAllowed(text, 'a percentage from 0 to 100, such as 5 or 2.5');
  },
} as const;

const BYTES_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
  ['tb', 1e12],
]);
const SIZE_FORMS =
  '"max" or a size such as "512MiB", "1.5GB" or "1073741824" ' +
  '(units: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)';

/** A size in whole bytes; `max` is `Infinity`. The case of units does not matter. */
export const SIZE = {
  placeholder: 'SIZE',
  toml: 'number',
  parse(text: string): number {
    if (text.toLowerCase() === 'max') return Number.POSITIVE_INFINITY;
    const match = /^(\d+(?:\.\d+)?)([a-z]+)$/i.exec(/^\d+$/.test(text) ? `${text}B` : text);
    const bytesPerUnit = BYTES_PER_UNIT.get(match?.[2].toLowerCase() ?? '');
    const bytes = Math.floor(Number(match?.[1]) * (bytesPerUnit ?? Number.NaN));
    if (Number.isSafeInteger(bytes)) return bytes;
    throw notAllowed(text, bothUnits(match) ?? SIZE_FORMS);
  },
} as const;

/** A single letter is a power of 1000 to some programs, and of 1024 to others. */
function bothUnits(match: RegExpExecArray | null): string | undefined {
  if (match === null) return undefined;
  const [, amount, unit] = match;
  const letter = /^[kmgt]$/i.exec(unit)?.[0];
  if (letter === undefined) return undefined;
  const decimal = letter.toLowerCase() === 'k' ? 'k' : letter.toUpperCase();
  const binary = letter.toUpperCase();
  return `${amount}${binary}iB (powers of 1024) or ${amount}${decimal}B (powers of 1000)`;
}

const DURATION_FORMS = 'a duration from 1ms to 24h such as "250ms", "5s" or "1m30s"';

/** A duration in Go's form, in whole milliseconds from 1 to {@link DURATION_MS_MAX}. */
export const DURATION = {
  placeholder: 'DURATION',
  toml: 'number',
  parse(text: string): number {
    const ms = durationMs(text);
    if (ms >= 1 && ms <= DURATION_MS_MAX) return ms;
    throw notAllowed(text, withUnit(text) ?? DURATION_FORMS);
  },
} as const;

/** As {@link DURATION}, with 0 for "off". */
export const DURATION_OR_ZERO = {
  ...DURATION,
  parse(text: string): number {
    const ms = durationMs(text);
    if ((ms >= 1 && ms <= DURATION_MS_MAX) || isZeroDuration(text)) return ms;
    throw notAllowed(text, withUnit(text) ?? `0 or ${DURATION_FORMS}`);
  },
} as const;

/** A number alone may be meant in seconds, as memcached and Redis take it, or in milliseconds. */
function withUnit(text: string): string | undefined {
  if (!/^\d+(?:\.\d+)?$/.test(text) || Number(text) === 0) return undefined;
  return `a unit behind the number, as in "${text}s" (seconds) or "${text}ms" (milliseconds), up to 24h`;
}

/** A duration that only rounds to zero was not meant to be off. */
function isZeroDuration(text: string): boolean {
  return durationMs(text) === 0 && !/[1-9]/.test(text);
}

/** The path of a file, made absolute. */
export const FILE = {
  placeholder: 'PATH',
  toml: 'path',
  parse(text: string): string {
    if (text === '' || text.endsWith('/') || text.includes('\0')) {
      throw notAllowed(text, 'the path of a file');
    }
    return resolve(text);
  },
} as const;

/** The path of a folder, made absolute. */
export const FOLDER = {
  placeholder: 'DIR',
  toml: 'path',
  parse(text: string): string {
    if (text === '' || text.includes('\0')) throw notAllowed(text, 'the path of a folder');
    return resolve(text);
  },
} as const;

/** Any text but the empty one. */
export function parseName(text: string): string {
  if (text === '') throw notAllowed(text, 'a name');
  return text;
}

/** URLs of servers' -http, one or several with commas between them. */
export const URLS = {
  placeholder: 'URL',
  repeats: true,
  parse(text: string): readonly URL[] {
    return text.split(',').map(parseUrl);
  },
} as const;

export function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  // Standard error is often a log that others read: no login is to be in it.
  const shown = text.replace(/^([a-z]+:\/\/)?.*@/is, '$1...@');
  throw notAllowed(shown, 'a URL such as "http://10.0.0.7:11280"');
}
