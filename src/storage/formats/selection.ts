import { GoromdbError } from '../../common/errors.ts';
import { lackOf } from '../scanners/format.ts';
import { delimiterFault } from '../scanners/namespaces.ts';
import type { FieldOptions, NamespaceOptions, Scanner } from '../scanners/scanner.ts';
import { AUTO, either, formatNamed, formatOf, formatsWith } from './formats.ts';
import { NAME_BYTES_MAX } from './json/json-lines.ts';

/** The name of a bucket or database; or of buckets, each inside of the one before. */
export type BucketPath = string | readonly string[];

/** What of a file is to be served. */
export interface Selection {
  readonly bucket?: BucketPath | undefined;
  readonly fields?: FieldOptions | undefined;
  readonly namespaces?: NamespaceOptions | undefined;
}

/** With the format that `-storage` asks for. */
interface Asked extends Selection {
  readonly storage: string;
}

/** The flags that `fields` come from. */
const FIELD_FLAGS = '-jsonl-key, -jsonl-value and -jsonl-ignore';

/** @throws GoromdbError OPTION_INVALID when options contradict each other. */
export function checkSelection(asked: Asked): void {
  const wrong = bucketFault(asked) ?? fieldsFault(asked) ?? namespacesFault(asked);
  if (wrong !== undefined) throw new GoromdbError('OPTION_INVALID', wrong);
}

/**
 * What is asked for that a file cannot have, now that its format is known; undefined: nothing. Its
 * scanner refuses other buckets and namespaces itself.
 */
export function unfitFault(scanner: Scanner, { bucket, fields }: Selection): string | undefined {
  const format = formatOf(scanner);
  if (format === undefined) return undefined;
  const found = `and this is ${format.format}`;
  if (fields !== undefined && !format.has.includes('fields')) {
    return `${FIELD_FLAGS} are for ${either(formatsWith('fields'))}, ${found}: leave them out`;
  }
  if (!isPath(bucket) || format.has.includes('nested buckets')) return undefined;
  return `${onlyNested()}, ${found}: give -bucket once`;
}

function bucketFault({ storage, bucket }: Asked): string | undefined {
  if (bucket === undefined) return undefined;
  const has = formatNamed(storage)?.has;
  if (has?.includes('buckets') === false) return `-bucket: ${storage} has no buckets`;
  if (typeof bucket === 'object' && bucket.length === 0) {
    return '-bucket: expected a name or more, found none';
  }
  if (!isPath(bucket) || has?.includes('nested buckets') !== false) return undefined;
  return `-bucket: ${onlyNested()}, and -storage is ${storage}: give it once`;
}

function isPath(bucket: BucketPath | undefined): boolean {
  return typeof bucket === 'object' && bucket.length > 1;
}

function onlyNested(): string {
  return `only ${either(formatsWith('nested buckets'))} has buckets inside of buckets`;
}

function fieldsFault({ storage, bucket, fields, namespaces }: Asked): string | undefined {
  if (fields === undefined) return undefined;
  const { key, value } = fields;
  const having = formatsWith('fields');
  if (storage !== AUTO && !having.some(({ format }) => format === storage)) {
    return `${FIELD_FLAGS} are for ${either(having)}; -storage is ${storage}`;
  }
  const other = bucket !== undefined ? 'buckets' : namespaces && 'namespaces';
  if (other !== undefined && !having.some(({ has }) => has.includes(other))) {
    const flag = other === 'buckets' ? '-bucket' : '-namespaces';
    return `${flag}: ${lackOf(having[0])}, which ${FIELD_FLAGS} are for`;
  }
  const isName = (name: string): boolean =>
    name !== '' && Buffer.byteLength(name) <= NAME_BYTES_MAX;
  if (!isName(key) || !isName(value)) {
    return `-jsonl-key, -jsonl-value: expected names of 1 to ${NAME_BYTES_MAX} bytes`;
  }
  if (key !== value) return undefined;
  return `-jsonl-key, -jsonl-value: expected two fields, found ${JSON.stringify(key)} for both`;
}

function namespacesFault({ storage, bucket, namespaces }: Asked): string | undefined {
  if (namespaces === undefined) return undefined;
  if (bucket !== undefined) {
    return '-bucket serves one and -namespaces serves all: give one of them';
  }
  const format = formatNamed(storage);
  if (format?.has.includes('namespaces') === false) {
    return `-namespaces: ${lackOf(format)}; -storage is ${storage}`;
  }
  const wrong = delimiterFault(namespaces.delimiter);
  return wrong && `-D: ${wrong}`;
}
