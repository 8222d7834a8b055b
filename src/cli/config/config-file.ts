/** What belongs in this folder: reads the TOML file of `-config`. */
import { dirname, isAbsolute, join } from 'node:path';
import { checkPlan } from '../../app/app.ts';
import type { PrefixedDataSet, ServerPlan } from '../../app/options.ts';
import { GoromdbError } from '../../common/errors.ts';
import { isTable, readToml } from '../../common/toml-file.ts';
import { findLines, type TomlLines } from '../../common/toml-lines.ts';
import { DEFAULT_DELIMITER } from '../../storage/scanners/namespaces.ts';
import { DATA_SET_OPTIONS, dataSetOf } from '../options/data.ts';
import { defaultsOf, type OptionTable, type ValuesOf } from '../options/option.ts';
import { SERVER_OPTIONS, serverOf } from '../options/server.ts';
import { valueFromToml } from './config-value.ts';

/** The name of the tables of data sets. */
const SECTION = 'data-set';

/** What a configuration file asks for. */
export interface Config {
  readonly plan: ServerPlan;
  /** The server's values by key, to find what another file changes. */
  readonly serverValues: ReadonlyMap<string, unknown>;
}

/** Reads a file, and checks that its plan can be started. @throws as `readConfig`. */
export async function readChecked(path: string): Promise<Config> {
  const config = readConfig(path);
  try {
    await checkPlan(config.plan);
  } catch (error) {
    if (!(error instanceof GoromdbError)) throw error;
    throw new GoromdbError(error.code, `${path}: ${error.message}`, { cause: error });
  }
  return config;
}

/** A table of the file, and what messages say of it. */
interface Section {
  readonly path: string;
  readonly lines: TomlLines;
  /** The number of the data set, from 0; undefined: the part above. */
  readonly number: number | undefined;
}

/**
 * Reads a configuration file. Each key is the name of an option, and is checked as its flag is.
 *
 * @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID, with the file, the line if it is known, the
 * key, what was given and what is allowed.
 */
export function readConfig(path: string): Config {
  const { text, values } = readToml(path);
  const { [SECTION]: tables, ...top } = values;
  const lines = findLines(text, SECTION);
  const server: Section = { path, lines, number: undefined };
  if (!Array.isArray(tables) || tables.length === 0 || !tables.every(isTable)) {
    throw faultAt(server, SECTION, `expected one [[${SECTION}]] or more, each with a file`);
  }
  const serverValues = readValues(server, top, SERVER_OPTIONS);
  const plan = inSection(server, undefined, () => {
    return serverOf(allValues(SERVER_OPTIONS, serverValues), new Set(serverValues.keys()));
  });
  const dataSets = tables.map((table, number) => readDataSet({ path, lines, number }, table));
  return { plan: { delimiter: DEFAULT_DELIMITER, ...plan, dataSets }, serverValues };
}

function readDataSet(section: Section, table: Readonly<Record<string, unknown>>): PrefixedDataSet {
  const values = readValues(section, table, DATA_SET_OPTIONS);
  if (!values.has('file')) {
    throw faultAt(section, undefined, 'file is missing: the file to wait for');
  }
  return inSection(section, undefined, () => dataSetOf(allValues(DATA_SET_OPTIONS, values)));
}

function allValues<Table extends OptionTable>(
  table: Table,
  given: ReadonlyMap<string, unknown>,
): ValuesOf<Table> {
  return { ...defaultsOf(table), ...Object.fromEntries(given) } as ValuesOf<Table>;
}

/** Parses the values of a table by the options of its keys. */
function readValues(
  section: Section,
  table: Readonly<Record<string, unknown>>,
  options: OptionTable,
): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [key, value] of Object.entries(table)) {
    if (!isKey(options, key)) throw faultAt(section, key, describeUnknown(section, key, options));
    const beside = (path: string): string => besideFile(section, path);
    values.set(
      key,
      inSection(section, key, () => valueFromToml(options[key], value, beside)),
    );
  }
  return values;
}

function isKey(options: OptionTable, key: string): boolean {
  return Object.hasOwn(options, key) && options[key].only !== 'flag';
}

function describeUnknown({ number }: Section, key: string, options: OptionTable): string {
  const isServer = number === undefined;
  if (isKey(isServer ? DATA_SET_OPTIONS : SERVER_OPTIONS, key)) {
    return isServer
      ? `it belongs to a data set: write it below [[${SECTION}]]`
      : `it is about the server: write it above the first [[${SECTION}]]`;
  }
  const keys = Object.keys(options).filter((name) => isKey(options, name));
  const names = [...keys, ...(isServer ? [SECTION] : [])].sort().join(', ');
  return `it is not known; expected one of ${names}`;
}

/** Relative paths in the file start at its folder. */
function besideFile({ path }: Section, given: string): string {
  return given === '' || isAbsolute(given) ? given : join(dirname(path), given);
}

/** Adds the place in the file to errors. */
function inSection<T>(section: Section, key: string | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GoromdbError)) throw error;
    throw faultAt(section, key, error.message, error);
  }
}

/** In a file, an option has the name of its flag without the dash. */
const NAMES = Object.keys({ ...SERVER_OPTIONS, ...DATA_SET_OPTIONS }).join('|');
const DASHED = new RegExp(`(?<![\\w-])-(?=(?:${NAMES})\\b)`, 'g');

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
