/**
 * The options of one data set: its file and folder, its guards, how new files are noticed.
 */
import type { PrefixedDataSet } from '../../app/options.ts';
import type { Canary } from '../../loader/generations/guards.ts';
import { SCRUB_RATE_MAX } from '../../loader/generations/scrub.ts';
import { STORAGE_NAMES } from '../../storage/formats/formats.ts';
import { DEFAULT_FIELDS } from '../../storage/formats/json/json-lines.ts';
import { checkSelection } from '../../storage/formats/selection.ts';
import { DEFAULT_DELIMITER } from '../../storage/scanners/namespaces.ts';
import { KEY_BYTES_MAX } from '../../storage/scanners/scanner.ts';
import {
  libraryOptions,
  misuse,
  notAllowed,
  type OptionsFor,
  optionGroup,
  type ValuesOf,
} from './option.ts';
import {
  BOOLEAN,
  DURATION,
  DURATION_OR_ZERO,
  FILE,
  FOLDER,
  oneOf,
  PERCENT,
  parseBoolean,
  parseName,
  SIZE,
} from './values.ts';

const FILE_OPTIONS = optionGroup('Data', {
  file: {
    ...FILE,
    help: 'the file to wait for and to serve (required, unless -config is given)',
    required: 'the path of the file to wait for, such as -file data.json',
    sets: 'file',
  },
  prefix: {
    placeholder: 'NAME',
    help: 'prefix of this data set: clients ask for NAME, the delimiter and the key; 1 to 64 bytes without the delimiter, spaces and control characters',
    parse: parseName,
    fallbackNote: 'none: all keys that no other prefix matches',
    only: 'file',
    sets: 'prefix',
  },
} satisfies OptionsFor<PrefixedDataSet>);

/** How a file is read. */
export const READ_OPTIONS = optionGroup('Data', {
  storage: {
    placeholder: 'FORMAT',
    help: `format of the file: ${STORAGE_NAMES.join(', ')}; auto recognises it by its first bytes`,
    parse: oneOf(...STORAGE_NAMES),
    fallback: 'auto',
    elsewhere: ['format'],
    sets: 'storage',
  },
  gzipped: {
    ...BOOLEAN,
    help: 'reject a file that is not compressed with gzip; without this flag, compressed files are recognised',
    sets: 'gzipped',
  },
  bucket: {
    placeholder: 'NAME',
    help: 'serve this bucket of a BoltDB file, or this named database of an LMDB or Berkeley DB file; repeat it for a nested bucket, the outermost first',
    parse: (text: string): readonly string[] => [parseName(text)],
    repeats: true,
    fallbackNote: 'the unnamed database, or the only bucket',
    sets: 'bucket',
  },
  namespaces: {
    help: 'serve all buckets or named databases of the file, or all objects in a JSON object, as NAME:KEY',
    parse: (text: string) => (parseBoolean(text) ? { delimiter: DEFAULT_DELIMITER } : undefined),
    sets: 'namespaces',
  },
  D: {
    placeholder: 'DELIMITER',
    help: 'delimiter between NAME and KEY with -namespaces',
    parse: parseName,
    fallbackNote: DEFAULT_DELIMITER,
    sets: 'namespaces.delimiter',
  },
  'jsonl-key': {
    placeholder: 'FIELD',
    help: 'field of JSON Lines that holds the key',
    parse: parseName,
    fallbackNote: DEFAULT_FIELDS.key,
    sets: 'fields.key',
  },
  'jsonl-value': {
    placeholder: 'FIELD',
    help: 'field of JSON Lines that holds the value',
    parse: parseName,
    fallbackNote: DEFAULT_FIELDS.value,
    sets: 'fields.value',
  },
  'jsonl-ignore': {
    help: 'ignore other fields of JSON Lines; without this flag, a file that has some is rejected',
    // False counts as not given: without fields, any format is allowed.
    parse: (text: string) => parseBoolean(text) || undefined,
    sets: 'fields.ignoreOthers',
  },
} satisfies OptionsFor<PrefixedDataSet>);

const SLOT_OPTIONS = optionGroup('Data', {
  basedir: {
    ...FOLDER,
    help: 'the base folder, which keeps the serving and the previous generation',
    fallbackNote: 'the folder of -file',
    elsewhere: ['dir'],
    sets: 'basedir',
  },
  'keep-previous': {
    placeholder: 'WHERE',
    help: 'disk: keep the previous generation for a rollback; no: delete it',
    parse: oneOf('disk', 'no'),
    fallback: 'disk',
    sets: 'keepPrevious',
  },
  'scrub-rate': {
    ...SIZE,
    help: 'verify the serving generation in the background, at this many bytes a second; 0: never',
    parse: parseScrubRate,
    fallback: '8MiB',
    sets: 'scrub.bytesPerSecond',
  },
} satisfies OptionsFor<PrefixedDataSet>);

export const GUARD_OPTIONS = optionGroup('Guards: what a new generation must have to be served', {
  'min-keys': {
    placeholder: 'N',
    toml: 'number',
    help: 'reject a file with fewer keys; 0 allows a file without keys to replace one with keys',
    parse: parseKeyCount,
    fallbackNote: '1, when the serving generation has keys',
    sets: 'guards.minKeys',
  },
  'max-shrink': {
    ...PERCENT,
    help: 'reject a file that has fewer keys or bytes than the serving generation, by more than this percentage',
    fallbackNote: 'off',
    sets: 'guards.maxShrinkPercent',
  },
  canary: {
    placeholder: 'KEY[=VALUE]',
    help: 'reject a file without this key, or with another value for it; may be repeated',
    parse: parseCanary,
    repeats: true,
    fallbackNote: 'none',
    sets: 'guards.canaries',
  },
  'max-hit-drop': {
    ...PERCENT,
    help: 'reject a file with which the lookups of the last minutes would have had fewer hits, by more than this percentage',
    fallbackNote: 'off',
    sets: 'guards.maxHitDropPercent',
  },
} satisfies OptionsFor<PrefixedDataSet>);

const WATCHING = optionGroup('Watching', {
  'poll-interval': {
    ...DURATION_OR_ZERO,
    help: 'look for files this often where events do not arrive, as on network file systems, such as 2s; 0: rely on events',
    fallback: '0',
    sets: 'pollIntervalMs',
  },
  rescan: {
    ...DURATION,
    help: 'look for files this often even without an event, in case one was lost',
    fallback: '5s',
    sets: 'rescanMs',
  },
} satisfies OptionsFor<PrefixedDataSet>);

export const DATA_SET_OPTIONS = {
  ...FILE_OPTIONS,
  ...READ_OPTIONS,
  ...SLOT_OPTIONS,
  ...GUARD_OPTIONS,
  ...WATCHING,
};

type Reading = Pick<PrefixedDataSet, 'storage' | 'gzipped' | 'bucket' | 'fields' | 'namespaces'>;

/**
 * The data set that values ask for.
 *
 * @throws GoromdbError OPTION_INVALID when one is missing, or they do not go together.
 */
export function dataSetOf(values: ValuesOf<typeof DATA_SET_OPTIONS>): PrefixedDataSet {
  const { fields, bucket, ...others } = libraryOptions(DATA_SET_OPTIONS, values);
  return { ...others, ...readingOf(values) };
}

/**
 * How values ask for a file to be read.
 *
 * @throws GoromdbError OPTION_INVALID when they do not go together.
 */
export function readingOf(values: ValuesOf<typeof READ_OPTIONS>): Reading {
  if (values.D !== undefined && values.namespaces === undefined) {
    throw misuse('-D: it is the delimiter of -namespaces; give both');
  }
  const { fields, bucket, ...others } = libraryOptions(READ_OPTIONS, values);
  const reading = {
    ...others,
    ...(bucket && { bucket: bucket.length === 1 ? bucket[0] : bucket }),
    ...(fields && { fields: { ...DEFAULT_FIELDS, ignoreOthers: false, ...fields } }),
  };
  checkSelection(reading);
  return reading;
}

/** A number of keys, from 0 on. */
function parseKeyCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(count)) return count;
  throw notAllowed(text, 'a whole number from 0 on');
}

/** `KEY`, or `KEY=VALUE`; the first `=` divides. */
function parseCanary(text: string): readonly Canary[] {
  const at = text.indexOf('=');
  const key = Buffer.from(at === -1 ? text : text.slice(0, at));
  if (key.length === 0 || key.length > KEY_BYTES_MAX) {
    throw notAllowed(text, `KEY or KEY=VALUE, with a key of 1 to ${KEY_BYTES_MAX} bytes`);
  }
  return [{ key, value: at === -1 ? undefined : Buffer.from(text.slice(at + 1)) }];
}

/** A number of bytes a second up to {@link SCRUB_RATE_MAX}; 0 is off. */
function parseScrubRate(text: string): number {
  const bytes = SIZE.parse(text);
  if (bytes <= SCRUB_RATE_MAX) return bytes;
  throw notAllowed(text, 'a size from 0 to 1GiB, such as "8MiB"');
}
