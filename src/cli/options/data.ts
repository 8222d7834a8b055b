import { STORAGE_NAMES } from '../../storage/formats/formats.ts';
import { DEFAULT_FIELDS } from '../../storage/formats/json/json-lines.ts';
import { DEFAULT_DELIMITER } from '../../storage/scanners/namespaces.ts';
import {
  type FlagTable,
  oneOf,
  parseBoolean,
  parseBucket,
  parseCanary,
  parseDuration,
  parseDurationOrZero,
  parseFilePath,
  parseFolderPath,
  parseKeyCount,
  parseName,
  parsePercent,
} from './values.ts';

const DATA = 'Data';
const GUARDS = 'Guards: what a new generation must have to be served';
const WATCHING = 'Watching';

/** What is served, and where it is kept. */
export const DATA_FLAGS = {
  file: {
    placeholder: 'PATH',
    group: DATA,
    help: 'the file to wait for (required, or -config)',
    parse: parseFilePath,
  },
  config: {
    placeholder: 'PATH',
    group: DATA,
    help: 'serve what this TOML file says, one or several data sets; no other flag goes with it',
    parse: parseFilePath,
  },
  storage: {
    placeholder: 'FORMAT',
    group: DATA,
    help: `format of the file, one of ${STORAGE_NAMES.join(', ')}; auto goes by its first bytes`,
    parse: oneOf(...STORAGE_NAMES),
    fallback: 'auto',
  },
  gzipped: {
    group: DATA,
    help: 'the file must be packed with gzip; without it packed files are recognised',
    parse: parseBoolean,
    fallback: 'false',
  },
  bucket: {
    placeholder: 'NAME',
    group: DATA,
    help: 'the bucket of a BoltDB file, or the named database of an LMDB or Berkeley DB file, to serve; given again, a bucket inside of the one before',
    parse: parseBucket,
    repeats: true,
    fallbackNote: 'the unnamed one, or the only bucket',
  },
  namespaces: {
    group: DATA,
    help: 'serve all buckets or named databases of the file, or the objects in a JSON object, under NAME:KEY',
    parse: parseBoolean,
    fallback: 'false',
  },
  D: {
    placeholder: 'DELIMITER',
    group: DATA,
    help: 'what stands between name and key with -namespaces',
    parse: parseName,
    fallbackNote: DEFAULT_DELIMITER,
  },
  'jsonl-key': {
    placeholder: 'FIELD',
    group: DATA,
    help: 'the field of a record of JSON Lines that is its key',
    parse: parseName,
    fallbackNote: DEFAULT_FIELDS.key,
  },
  'jsonl-value': {
    placeholder: 'FIELD',
    group: DATA,
    help: 'the field of a record of JSON Lines that is its value',
    parse: parseName,
    fallbackNote: DEFAULT_FIELDS.value,
  },
  'jsonl-ignore': {
    group: DATA,
    help: 'leave out other fields of JSON Lines; without it they are refused',
    parse: parseBoolean,
    fallback: 'false',
  },
  basedir: {
    placeholder: 'DIR',
    group: DATA,
    help: 'the folder that keeps the data being served',
    parse: parseFolderPath,
    fallbackNote: 'the folder of -file',
  },
  'keep-previous': {
    placeholder: 'WHERE',
    group: DATA,
    help: 'whether the generation before stays on disk, to roll back to: disk, or no, which deletes it',
    parse: oneOf('disk', 'no'),
    fallback: 'disk',
  },
} as const satisfies FlagTable;

export const GUARD_FLAGS = {
  'min-keys': {
    placeholder: 'N',
    group: GUARDS,
    help: 'refuse a file with fewer keys; with 0, one without keys may replace others',
    parse: parseKeyCount,
    fallbackNote: '1 where keys are served',
  },
  'max-shrink': {
    placeholder: 'PERCENT',
    group: GUARDS,
    help: 'refuse a file whose keys or bytes are fewer than those of the serving generation by more than this',
    parse: parsePercent,
    fallbackNote: 'not asked',
  },
  canary: {
    placeholder: 'KEY[=VALUE]',
    group: GUARDS,
    help: 'refuse a file without this key, or with another value; may be given several times',
    parse: parseCanary,
    repeats: true,
    fallbackNote: 'none',
  },
  'max-hit-drop': {
    placeholder: 'PERCENT',
    group: GUARDS,
    help: 'refuse a file in which the lookups of the last minutes would have so many percent fewer hits',
    parse: parsePercent,
    fallbackNote: 'not asked',
  },
} as const satisfies FlagTable;

export const WATCH_FLAGS = {
  'poll-interval': {
    placeholder: 'DURATION',
    group: WATCHING,
    help: 'look for files this often, such as 2s, where events do not arrive, as on network file systems; 0 relies on events',
    parse: parseDurationOrZero,
    fallback: '0',
  },
  rescan: {
    placeholder: 'DURATION',
    group: WATCHING,
    help: 'look this often even without an event, in case one was lost',
    parse: parseDuration,
    fallback: '5s',
  },
} as const satisfies FlagTable;
