import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import type { DataSetsOptions, PrefixedDataSet } from '../../app/options.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import {
  SERVE_FLAGS,
  type ServeOptions,
  type ServeValues,
  serveOptionsOf,
} from '../options/serving.ts';
import { misuse, parseName } from '../options/values.ts';
import { type ConfigLines, findLines, SECTION } from './config-lines.ts';
import { valueFromToml } from './config-value.ts';

/** Longest configuration file in bytes. */
const CONFIG_BYTES_MAX = 1024 * 1024;

type FlagName = keyof typeof SERVE_FLAGS;

/** The flags that are about one data set. */
const DATA_SET_KEYS: ReadonlySet<string> = new Set<FlagName>([
  ...(['file', 'storage', 'gzipped', 'bucket', 'namespaces', 'D', 'basedir'] as const),
  ...(['jsonl-key', 'jsonl-value', 'jsonl-ignore'] as const),
  ...(['min-keys', 'max-shrink', 'canary', 'max-hit-drop', 'keep-previous'] as const),
  ...(['scrub-rate', 'poll-interval', 'rescan'] as const),
]);

/** Flags that mean nothing in the file. */
const NOT_IN_FILE: ReadonlySet<string> = new Set<FlagName>(['config', 'handler']);

/** What a flag of a data set is not called in the file. */
const PREFIX = 'prefix';
const DELIMITER = 'delimiter';

const SERVER_KEYS: ReadonlySet<string> = new Set(
  Object.keys(SERVE_FLAGS).filter((name) => !NOT_IN_FILE.has(name) && !DATA_SET_KEYS.has(name)),
);

/** What a configuration file asks for. */
export interface Config {
  readonly options: DataSetsOptions;
  /** What is given for the server, by key: for telling what another file changes. */
  readonly serverValues: ReadonlyMap<string, unknown>;
}

/** A table of the file, with what messages need of it. */
interface Section {
  readonly path: string;
  readonly lines: ConfigLines;
  /** The number of the data set, from 0; undefined: the part above. */
  readonly number: number | undefined;
}

/**
 * Reads a configuration file. Each key is the name of a flag, and is checked as the flag is.
 *
 * @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID, with the file, the line if it is known, the
 * key, what was given and what is allowed.
 */
export function readConfig(path: string): Config {
  const text = readText(path);
  const { [SECTION]: tables, ...top } = parseToml(path, text);
  const lines = findLines(text);
  const server: Section = { path, lines, number: undefined };
  if (!Array.isArray(tables) || tables.length === 0 || !tables.every(isTable)) {
    throw faultAt(server, SECTION, `expected one [[${SECTION}]] or more, each with a file`);
  }
  const { [DELIMITER]: delimiter, ...serverKeys } = top;
  const serverValues = readValues(server, serverKeys, SERVER_KEYS);
  // What is wrong with it is told of the server, and not of each data set.
  const values = { ...DEFAULTS, ...Object.fromEntries(serverValues), file: path } as ServeValues;
  const whole = inSection(server, undefined, () => {
    return serveOptionsOf(values, new Set(serverValues.keys()));
  });
  const dataSets = tables.map((table, number) => {
    return readDataSet({ path, lines, number }, table, serverValues);
  });
  const options = {
    ...serverOptions(whole),
    dataSets,
    ...(delimiter === undefined ? {} : { delimiter: textOf(server, DELIMITER, delimiter) }),
  };
  return { options, serverValues: new Map([...serverValues, [DELIMITER, delimiter]]) };
}

function readText(path: string): string {
  try {
    const found = statSync(path);
    // Anything else may have no end.
    if (!found.isFile()) throw new Error('it is no file');
    // TOML is UTF-8; what is not would become another path.
    const utf8 = new TextDecoder('utf-8', { fatal: true });
    if (found.size <= CONFIG_BYTES_MAX) return utf8.decode(readFileSync(path));
  } catch (cause) {
    const why = messageOf(explained(cause, path));
    throw new GoromdbError('FILE_UNREADABLE', `cannot read ${path}: ${why}`, { cause });
  }
  throw misuse(`${path}: expected at most ${CONFIG_BYTES_MAX} bytes, found more`);
}

function parseToml(path: string, text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    // The first line says what is wrong; a drawing of the place follows.
    const [what] = cause.message.split('\n');
    throw new GoromdbError('OPTION_INVALID', `${path}:${cause.line}:${cause.column}: ${what}`, {
      cause,
    });
  }
}

function readDataSet(
  section: Section,
  table: Readonly<Record<string, unknown>>,
  server: ReadonlyMap<string, unknown>,
): PrefixedDataSet {
  const { [PREFIX]: prefix, ...keys } = table;
  const own = readValues(section, keys, DATA_SET_KEYS);
  if (!own.has('file')) throw faultAt(section, undefined, 'file is missing: the file to wait for');
  const values = { ...DEFAULTS, ...Object.fromEntries([...server, ...own]) } as ServeValues;
  const given = new Set([...server.keys(), ...own.keys()]);
  const options = inSection(section, undefined, () => serveOptionsOf(values, given));
  const { file, storage, gzipped, bucket, fields, namespaces, basedir, guards, scrub } = options;
  const { keepPrevious, pollIntervalMs, rescanMs } = options;
  return {
    ...{ file, storage, gzipped, bucket, fields, namespaces, basedir, guards, scrub },
    ...{ keepPrevious, pollIntervalMs, rescanMs },
    prefix: prefix === undefined ? undefined : textOf(section, PREFIX, prefix),
  };
}

/** What of the options is about the server. */
function serverOptions(options: ServeOptions): Omit<DataSetsOptions, 'dataSets'> {
  const { address, protocol, threads, limits, access, loudRefusals, allowShutdown } = options;
  return { address, protocol, threads, limits, access, loudRefusals, allowShutdown };
}

const DEFAULTS: Readonly<Record<string, unknown>> = Object.fromEntries(
  Object.entries(SERVE_FLAGS).map(([name, flag]) => {
    return [name, 'fallback' in flag ? flag.parse(flag.fallback) : undefined];
  }),
);

/** The values of a table's keys, as their flags understand them. */
function readValues(
  section: Section,
  table: Readonly<Record<string, unknown>>,
  allowed: ReadonlySet<string>,
): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [key, value] of Object.entries(table)) {
    if (!allowed.has(key)) throw faultAt(section, key, describeUnknown(section, key, allowed));
    const flag = SERVE_FLAGS[key as FlagName];
    values.set(
      key,
      inSection(section, key, () => valueFromToml(flag, value, (path) => beside(section, path))),
    );
  }
  return values;
}

function describeUnknown({ number }: Section, key: string, allowed: ReadonlySet<string>): string {
  const own = number === undefined ? [SECTION, DELIMITER] : [PREFIX];
  const names = [...allowed, ...own].sort().join(', ');
  const isOther = number === undefined ? DATA_SET_KEYS.has(key) || key === PREFIX : isOfServer(key);
  if (!isOther) return `it is not known; expected one of ${names}`;
  return number === undefined
    ? `it belongs to a data set: write it below [[${SECTION}]]`
    : `it is about the server: write it above the first [[${SECTION}]]`;
}

function isOfServer(key: string): boolean {
  return SERVER_KEYS.has(key) || key === DELIMITER;
}

/** Paths in the file are meant from the folder that it is in. */
function beside({ path }: Section, given: string): string {
  return given === '' || isAbsolute(given) ? given : join(dirname(path), given);
}

function textOf(section: Section, key: string, value: unknown): string {
  if (typeof value !== 'string') throw faultAt(section, key, `expected a text in quotes`);
  return inSection(section, key, () => parseName(value));
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Has errors say where in the file they are. */
function inSection<T>(section: Section, key: string | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof GoromdbError)) throw error;
    throw faultAt(section, key, error.message, error);
  }
}

/** The flags are called in a file what they are called without the dash. */
const DASHED = new RegExp(`(?<![\\w-])-(?=(?:${Object.keys(SERVE_FLAGS).join('|')})\\b)`, 'g');

function faultAt(
  { path, lines, number }: Section,
  key: string | undefined,
  message: string,
  cause?: unknown,
): GoromdbError {
  const text = message.replace(DASHED, '');
  // A message about several keys begins with the one to change.
  const line = lines.lineOf(key ?? /^[\w-]+/.exec(text)?.[0], number);
  const place = line === undefined ? path : `${path}:${line}`;
  const subject = key ?? (number === undefined ? '' : `${SECTION} ${number + 1}`);
  const whole = subject === '' ? `${place}: ${text}` : `${place}: ${subject}: ${text}`;
  return new GoromdbError('OPTION_INVALID', whole, { cause });
}
