/** The JSON of etcd's gateway: bytes are base64, 64-bit numbers are texts, and what is empty is left out. */
import type {
  Comparison,
  Found,
  KeyValue,
  Range,
  Step,
  Transaction,
  TransactionResult,
} from './etcd.ts';

export interface WireRecord {
  readonly key?: string;
  readonly value?: string;
  readonly create_revision?: string;
  readonly mod_revision?: string;
}

interface WireHeader {
  readonly revision?: string;
}

export interface WireRange {
  readonly header?: WireHeader;
  readonly kvs?: readonly WireRecord[];
  readonly more?: boolean;
}

export interface WireTransaction {
  readonly header?: WireHeader;
  readonly succeeded?: boolean;
  readonly responses?: readonly {
    readonly response_range?: WireRange;
    readonly response_txn?: WireTransaction;
  }[];
}

export function base64(bytes: Buffer): string {
  return bytes.toString('base64');
}

export function rangeJson(range: Range): object {
  return {
    key: base64(range.key),
    ...(range.end && { range_end: base64(range.end) }),
    ...(range.limit && { limit: String(range.limit) }),
    ...(range.keysOnly && { keys_only: true }),
    ...(range.isStaleAllowed && { serializable: true }),
    ...(range.revision && { revision: String(range.revision) }),
  };
}

export function putJson(key: Buffer, value: Buffer, lease?: string): object {
  return { key: base64(key), value: base64(value), ...(lease && { lease }) };
}

export function transactionJson({ compare, steps, otherwise = [] }: Transaction): object {
  return {
    compare: compare.map(comparisonJson),
    success: steps.map(stepJson),
    failure: otherwise.map(stepJson),
  };
}

function comparisonJson(comparison: Comparison): object {
  const key = { key: base64(comparison.key), result: 'EQUAL' };
  if ('createRevision' in comparison) {
    return { ...key, target: 'CREATE', create_revision: String(comparison.createRevision) };
  }
  if ('modRevision' in comparison) {
    return { ...key, target: 'MOD', mod_revision: String(comparison.modRevision) };
  }
  return { ...key, target: 'VALUE', value: base64(comparison.value) };
}

function stepJson(step: Step): object {
  if ('range' in step) return { request_range: rangeJson(step.range) };
  if ('put' in step) {
    return { request_put: putJson(step.put.key, step.put.value, step.put.lease) };
  }
  if ('remove' in step) return { request_delete_range: rangeJson(step.remove) };
  return { request_txn: transactionJson(step.transaction) };
}

export function recordOf({ key, value, create_revision, mod_revision }: WireRecord): KeyValue {
  return {
    key: Buffer.from(key ?? '', 'base64'),
    value: Buffer.from(value ?? '', 'base64'),
    createRevision: Number(create_revision ?? 0),
    modRevision: Number(mod_revision ?? 0),
  };
}

export function foundOf({ header, kvs = [], more = false }: WireRange): Found {
  return { revision: Number(header?.revision ?? 0), records: kvs.map(recordOf), hasMore: more };
}

export function resultOf({
  header,
  succeeded = false,
  responses = [],
}: WireTransaction): TransactionResult {
  const done = responses.map(({ response_range: range, response_txn: inner }) => ({
    ...(range && { records: foundOf(range).records }),
    ...(inner && { transaction: resultOf(inner) }),
  }));
  return { revision: Number(header?.revision ?? 0), succeeded, done };
}
