import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { GoromdbError } from '../../common/errors.ts';
import type { Canary } from '../../loader/generations/guards.ts';
import { SCRUB_RATE_MAX } from '../../loader/generations/scrub.ts';
import { LEAST_REQUEST_LIMITS } from '../../protocol/protocol.ts';
import { createAllowList } from '../../server/access.ts';
import { THREADS_MAX } from '../../server/threads/threads.ts';
import { KEY_BYTES_MAX } from '../../storage/scanners/scanner.ts';

/** Longest duration of a flag, in milliseconds. The timers of Node fire at once after 24.8 days. */
const DURATION_MS_MAX = 24 * 60 * 60 * 1000;

/** One flag of a command: all that parsing, messages and help need to know of it. */
export interface Flag<T> {
  /** What the help calls the value, such as `PATH`; `undefined` makes it a boolean flag. */
  readonly placeholder?: string;
  /** Heading under which the help shows it. */
  readonly group: string;
  readonly help: string;
  /** @throws GoromdbError whose message says what was given and what is allowed. */
  readonly parse: (text: string) => T;
  /** The default as a person would type it; `undefined`: the flag has no value when not given. */
  readonly fallback?: string;
  /** It may be given several times: what `parse` returns is a list, and the lists are joined. */
  readonly repeats?: true;
  /** For the help: what happens without the flag, when that is no fixed text. */
  readonly fallbackNote?: string;
}

/** The flags of a command by name, without dashes, in the order of the help. */
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** The values of a table's flags: those without a default may be `undefined`. */
type FlagValues<Table extends FlagTable> = {
  readonly [Name in keyof Table]: Table[Name] extends { readonly fallback: string }
    ? ReturnType<Table[Name]['parse']>
    : ReturnType<Table[Name]['parse']> | undefined;
};

/** Tells commander of every flag of a table. */
export function addFlags(command: Command, table: FlagTable): Command {
  for (const [name, flag] of Object.entries(table)) {
    // The value of a boolean is optional, which is how `toGnuSpelling` knows it for one.
    const value = flag.placeholder === undefined ? '[bool]' : `<${flag.placeholder}>`;
    const option = new Option(`--${name} ${value}`, flag.help)
      .helpGroup(`${flag.group}:`)
      .argParser((text, previous: unknown) => {
        const value = parseValue(name, flag, text);
        return flag.repeats && Array.isArray(previous) ? previous.concat(value) : value;
      });
    if (flag.fallback !== undefined) {
      option.default(parseValue(name, flag, flag.fallback), flag.fallback);
    } else if (flag.fallbackNote !== undefined) {
      option.default(undefined, flag.fallbackNote);
    }
    command.addOption(option);
  }
  return command;
}

/** The values that commander found for the flags of a table. */
export function valuesOf<Table extends FlagTable>(
  command: Command,
  table: Table,
): FlagValues<Table> {
  const values = command.options
    .map((option) => [option.name(), command.getOptionValue(option.attributeName())] as const)
    .filter(([name]) => Object.hasOwn(table, name));
  return Object.fromEntries(values) as FlagValues<Table>;
}

/** The names of the flags that were given, whatever their values. */
export function givenFlags(command: Command): ReadonlySet<string> {
  const given = command.options.filter(
    (option) => command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  return new Set(given.map((option) => option.name()));
}

/**
 * Rewrites Go's spelling of flags (`-addr X`, `-addr=X`, `-gzipped`) and GNU's (`--addr X`) into
 * the one form that commander cannot misread, `--addr=X`. As in Go, the argument after a flag is
 * its value whatever it looks like, and a boolean flag never takes the next argument.
 *
 * What is not known stays for commander to report.
 *
 * @param options The flags of the command, as commander knows them.
 * @throws GoromdbError `OPTION_INVALID` when the last flag lacks its value, or a flag that takes
 * none has one.
 */
export function toGnuSpelling(args: readonly string[], options: readonly Option[]): string[] {
  const known = new Map(options.map((option) => [option.name(), option]));
  const rewritten: string[] = [];
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] === '--') return [...rewritten, ...args.slice(i)];
    const match = /^--?([^-=][^=]*)(=.*)?$/s.exec(args[i]);
    if (match === null) {
      rewritten.push(args[i]);
      continue;
    }
    const [, givenName, assigned] = match;
    const name = givenName === 'h' ? 'help' : givenName;
    const option = known.get(name);
    if (option === undefined) {
      // Its value is left out: commander would compare it too when it looks for a near miss.
      rewritten.push(`--${name}`);
    } else if (assigned !== undefined) {
      if (option.isBoolean()) throw misuse(`-${name} takes no value, and ${assigned} was given`);
      rewritten.push(`--${name}${assigned}`);
    } else if (option.required) {
      i += 1;
      if (i === args.length) throw missingValue(option);
      rewritten.push(`--${name}=${args[i]}`);
    } else {
      // `-gzipped` has a value, which is left out; `-version` has none.
      rewritten.push(option.optional ? `--${name}=true` : `--${name}`);
    }
  }
  return rewritten;
}

/** Commander's `--addr <ADDRESS>` as the help and messages show it: `-addr ADDRESS`. */
export function goSpelling(option: Option): string {
  return option.flags.replace('--', '-').replace(' [bool]', '').replace(/[<>]/g, '');
}

/** The words for yes and no that Go takes (`strconv.ParseBool`). */
export function parseBoolean(text: string): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw notAllowed(text, 'true, false, t, f, 1 or 0');
}

/** A parser that takes one of some words, as they are. */
export function oneOf<const Word extends string>(...words: Word[]): (text: string) => Word {
  return (text) => {
    const word = words.find((allowed) => allowed === text);
    if (word === undefined) throw notAllowed(text, words.join(' or '));
    return word;
  };
}

/** A number of threads from 1 to {@link THREADS_MAX}. */
export function parseThreads(text: string): number {
  const threads = /^\d+$/.test(text) ? Number(text) : 0;
  if (threads >= 1 && threads <= THREADS_MAX) return threads;
  throw notAllowed(text, `a whole number from 1 to ${THREADS_MAX}`);
}

/** A whole number from 1 on. */
export function parseCount(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1) return count;
  throw notAllowed(text, 'a whole number from 1 to 999999999');
}

/** The mode of a file in octal. */
export function parseMode(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw notAllowed(text, 'three octal digits, such as 0770');
}

/** Addresses and CIDR ranges, with commas between. */
export function parseAllowList(text: string): readonly string[] {
  const entries = text.split(',').map((entry) => entry.trim());
  createAllowList(entries);
  return entries;
}

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

/** A number of keys, from 0 on. */
export function parseKeyCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(count)) return count;
  throw notAllowed(text, 'a whole number from 0 on');
}

/** A number from 0 to 100, with or without a percent sign. */
export function parsePercent(text: string): number {
  const percent = /^\d+(?:\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (percent <= 100) return percent;
  throw notAllowed(text, 'a percentage from 0 to 100, such as 5 or 2.5');
}

/** `KEY`, or `KEY=VALUE`; the first `=` divides. */
export function parseCanary(text: string): readonly Canary[] {
  const at = text.indexOf('=');
  const key = Buffer.from(at === -1 ? text : text.slice(0, at));
  if (key.length === 0 || key.length > KEY_BYTES_MAX) {
    throw notAllowed(text, `KEY or KEY=VALUE, with a key of 1 to ${KEY_BYTES_MAX} bytes`);
  }
  return [{ key, value: at === -1 ? undefined : Buffer.from(text.slice(at + 1)) }];
}

/** A size in whole bytes; `max` is `Infinity`. The case of units does not matter. */
export function parseSize(text: string): number {
  if (text.toLowerCase() === 'max') return Number.POSITIVE_INFINITY;
  const match = /^(\d+(?:\.\d+)?)([a-z]+)$/i.exec(/^\d+$/.test(text) ? `${text}B` : text);
  const bytesPerUnit = BYTES_PER_UNIT.get(match?.[2].toLowerCase() ?? '');
  const bytes = Math.floor(Number(match?.[1]) * (bytesPerUnit ?? Number.NaN));
  if (Number.isSafeInteger(bytes)) return bytes;
  throw notAllowed(text, bothUnits(match) ?? SIZE_FORMS);
}

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

/** A number of bytes a second up to {@link SCRUB_RATE_MAX}; 0 is off. */
export function parseScrubRate(text: string): number {
  const bytes = parseSize(text);
  if (bytes <= SCRUB_RATE_MAX) return bytes;
  throw notAllowed(text, 'a size from 0 to 1GiB, such as "8MiB"');
}

/** A size of at least what all lines may have. */
export function parseLineLimit(text: string): number {
  const bytes = parseSize(text);
  const { lineBytesMax: least } = LEAST_REQUEST_LIMITS;
  if (bytes >= least && Number.isFinite(bytes)) return bytes;
  throw notAllowed(text, `a size of at least ${least} bytes, such as "1MiB"`);
}

const MS_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  // The two letters that Unicode has for micro.
  ['\u00b5s', 1e-3],
  ['\u03bcs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);
const DURATION_FORMS = 'a duration from 1ms to 24h such as "250ms", "5s" or "1m30s"';

/** A duration in Go's form, in whole milliseconds from 1 to {@link DURATION_MS_MAX}. */
export function parseDuration(text: string): number {
  const ms = durationMs(text);
  if (ms >= 1 && ms <= DURATION_MS_MAX) return ms;
  throw notAllowed(text, withUnit(text) ?? DURATION_FORMS);
}

/** As {@link parseDuration}, with 0 for "off". */
export function parseDurationOrZero(text: string): number {
  const ms = durationMs(text);
  if ((ms >= 1 && ms <= DURATION_MS_MAX) || isZeroDuration(text)) return ms;
  throw notAllowed(text, withUnit(text) ?? `0 or ${DURATION_FORMS}`);
}

/** A number alone may be meant in seconds, as memcached and Redis take it, or in milliseconds. */
function withUnit(text: string): string | undefined {
  if (!/^\d+(?:\.\d+)?$/.test(text) || Number(text) === 0) return undefined;
  return `a unit behind the number, as in "${text}s" (seconds) or "${text}ms" (milliseconds), up to 24h`;
}

/** `NaN` when it is no duration. */
function durationMs(text: string): number {
  if (text === '0') return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/.test(text)) return Number.NaN;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)([^\d.]+)/g)) {
    ms += Number(amount) * MS_PER_UNIT.get(unit)!;
  }
  return Math.round(ms);
}

/** A duration that only rounds to zero was not meant to be off. */
function isZeroDuration(text: string): boolean {
  return durationMs(text) === 0 && !/[1-9]/.test(text);
}

/** The path of a file, made absolute. */
export function parseFilePath(text: string): string {
  if (text === '' || text.endsWith('/') || text.includes('\0')) {
    throw notAllowed(text, 'the path of a file');
  }
  return resolve(text);
}

/** The path of a folder, made absolute. */
export function parseFolderPath(text: string): string {
  if (text === '' || text.includes('\0')) throw notAllowed(text, 'the path of a folder');
  return resolve(text);
}

/** Any text but the empty one. */
export function parseName(text: string): string {
  if (text === '') throw notAllowed(text, 'a name');
  return text;
}

/** One name of a path of buckets, as a list. */
export function parseBucket(text: string): readonly string[] {
  return [parseName(text)];
}

function parseValue(name: string, flag: Flag<unknown>, text: string): unknown {
  try {
    return flag.parse(text);
  } catch (error) {
    if (!(error instanceof GoromdbError)) throw error;
    throw new GoromdbError(error.code, `-${name}: ${error.message}`, { cause: error });
  }
}

function missingValue(option: Option): GoromdbError {
  return misuse(`-${option.name()}: the value is missing; use ${goSpelling(option)}`);
}

function notAllowed(text: string, expected: string): GoromdbError {
  return misuse(`${JSON.stringify(text)} is not allowed; expected ${expected}`);
}

/** An error of the person at the command line. */
export function misuse(message: string): GoromdbError {
  return new GoromdbError('OPTION_INVALID', message);
}
