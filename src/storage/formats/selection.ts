import { GoromdbError } from '../../common/errors.ts';
import { delimiterFault } from '../scanners/namespaces.ts';
import type { FieldOptions, NamespaceOptions } from '../scanners/scanner.ts';
import { isBuiltIn } from './formats.ts';
import { NAME_BYTES_MAX } from './json/json-lines.ts';

/** The name of a bucket or database; or of buckets, each inside of the one before. */
export type BucketPath = string | readonly string[];

/** What of a file is to be served. */
export interface Selection {
  /** As given to `-storage`. */
  readonly storage: string;
  readonly bucket?: BucketPath | undefined;
  readonly fields?: FieldOptions | undefined;
  readonly namespaces?: NamespaceOptions | undefined;
}

/** The formats that have neither buckets nor namespaces, and why. */
const SINGLE: Readonly<Record<string, string>> = {
  jsonl: 'JSON Lines have none',
  table: 'a table has none',
  'memcachedb-bdb': 'MemcacheDB keeps one database without name',
};

/** The flags that `fields` come from. */
export const FIELD_FLAGS = '-jsonl-key, -jsonl-value and -jsonl-ignore';

/** @throws GoromdbError OPTION_INVALID when options contradict each other. */
export function checkSelection(selection: Selection): void {
  const wrong = bucketFault(selection) ?? fieldsFault(selection) ?? namespacesFault(selection);
  if (wrong !== undefined) throw new GoromdbError('OPTION_INVALID', wrong);
}

function bucketFault({ storage, bucket }: Selection): string | undefined {
  if (bucket === undefined) return undefined;
  if (['json', 'jsonl', 'table'].includes(storage)) return `-bucket: ${storage} has no buckets`;
  if (typeof bucket === 'string') return undefined;
  if (bucket.length === 0) return '-bucket: expected a name or more, found none';
  const isPath = bucket.length > 1;
  const mayNest = storage === 'auto' || storage === 'boltdb' || !isBuiltIn(storage);
  if (!isPath || mayNest) return undefined;
  return `-bucket: only BoltDB has buckets inside of buckets, and -storage is ${storage}: give it once`;
}

function fieldsFault({ storage, bucket, fields, namespaces }: Selection): string | undefined {
  if (fields === undefined) return undefined;
  const { key, value } = fields;
  if (storage !== 'auto' && storage !== 'jsonl') {
    return `${FIELD_FLAGS} are for JSON Lines; -storage is ${storage}`;
  }
  if (bucket !== undefined) return `-bucket: JSON Lines have none, which ${FIELD_FLAGS} are for`;
  if (namespaces !== undefined) {
    return `-namespaces: JSON Lines have none, which ${FIELD_FLAGS} are for`;
  }
  const isName = (name: string): boolean =>
    name !== '' && Buffer.byteLength(name) <= NAME_BYTES_MAX;
  if (!isName(key) || !isName(value)) {
    return `-jsonl-key, -jsonl-value: expected names of 1 to ${NAME_BYTES_MAX} bytes`;
  }
  if (key !== value) return undefined;
  return `-jsonl-key, -jsonl-value: expected two fields, found ${JSON.stringify(key)} for both`;
}

function namespacesFault({ storage, bucket, namespaces }: Selection): string | undefined {
  if (namespaces === undefined) return undefined;
  if (bucket !== undefined) {
    return '-bucket serves one and -namespaces serves all: give one of them';
  }
  if (Object.hasOwn(SINGLE, storage)) {
    return `-namespaces: ${SINGLE[storage]}; -storage is ${storage}`;
  }
  const wrong = delimiterFault(namespaces.delimiter);
  return wrong && `-D: ${wrong}`;
}
