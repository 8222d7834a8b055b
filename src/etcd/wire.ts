/** The JSON of etcd's gateway: bytes are base64, 64-bit numbers are texts, and what is empty is left out. */
import type {
  Comparison,
  EndpointStatus,
  Found,
  KeyValue,
  Member,
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

interface WireRange {
  readonly header?: WireHeader;
  readonly kvs?: readonly WireRecord[];
  readonly more?: boolean;
  readonly count?: string;
}

interface WireTransaction {
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

/** Etcd reads each field by reflection: without what is empty, a key of many takes it 61 µs, not 65 (2026-11-29). */
export function transactionJson({ compare, steps, otherwise = [] }: Transaction): object {
  return {
    ...(compare.length > 0 && { compare: compare.map(comparisonJson) }),
    success: steps.map(stepJson),
    ...(otherwise.length > 0 && { failure: otherwise.map(stepJson) }),
  };
}

/** What is compared is to be equal, when a comparison does not say otherwise. */
function comparisonJson(comparison: Comparison): object {
  const key = { key: base64(comparison.key) };
  if ('createRevision' in comparison) {
    const { createRevision } = comparison;
    const revision = createRevision > 0 && { create_revision: String(createRevision) };
    return { ...key, target: 'CREATE', ...revision };
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

/** A number of 64 bits; what is left out is 0. Revisions are far below 2^53. */
export function numberOf(text: unknown = '0'): number {
  if (typeof text === 'string' && /^\d{1,16}$/.test(text)) return Number(text);
  throw new Error('no number');
}

function textOf(text: unknown = ''): string {
  if (typeof text === 'string') return text;
  throw new Error('no text');
}

/** Each answer about keys has it: without, it is not etcd that says that there are none. */
export function revisionOf({ header }: { readonly header?: WireHeader }): number {
  const revision = numberOf(header?.revision);
  if (revision > 0) return revision;
  throw new Error('no revision');
}

export function recordOf({ key, value, create_revision, mod_revision }: WireRecord): KeyValue {
  if (!key) throw new Error('no key');
  return {
    key: Buffer.from(textOf(key), 'base64'),
    value: Buffer.from(textOf(value), 'base64'),
    createRevision: numberOf(create_revision),
    modRevision: numberOf(mod_revision),
  };
}

function recordsOf({ kvs = [] }: WireRange): readonly KeyValue[] {
  return kvs.map(recordOf);
}

export function foundOf(answer: WireRange): Found {
  return {
    revision: revisionOf(answer),
    records: recordsOf(answer),
    hasMore: answer.more === true,
  };
}

export function countOf(answer: WireRange): number {
  revisionOf(answer);
  return numberOf(answer.count);
}

export function resultOf(answer: WireTransaction): TransactionResult {
  return transactionOf(answer, revisionOf(answer));
}

/** @param revision Transactions inside of another one say none: they have that of the outer one. */
function transactionOf(
  { succeeded, responses = [] }: WireTransaction,
  revision: number,
): TransactionResult {
  const done = responses.map(({ response_range: range, response_txn: inner }) => ({
    ...(range && { records: recordsOf(range) }),
    ...(inner && { transaction: transactionOf(inner, revision) }),
  }));
  return { revision, succeeded: succeeded === true, done };
}

export function leaseOf({ ID }: { readonly ID?: string }): string {
  if (textOf(ID) !== '') return textOf(ID);
  throw new Error('no lease');
}

export function renewedOf({ result }: { readonly result?: { readonly TTL?: string } }): number {
  return numberOf(result?.TTL);
}

interface WireMembers {
  readonly members?: readonly {
    readonly ID?: string;
    readonly name?: string;
    readonly clientURLs?: readonly string[];
  }[];
}

export function membersOf({ members = [] }: WireMembers): readonly Member[] {
  return members.map(({ ID, name, clientURLs = [] }) => {
    return { id: textOf(ID), name: textOf(name), clientUrls: clientURLs.map(textOf) };
  });
}

interface WireStatus {
  readonly header?: { readonly member_id?: string };
  readonly version?: string;
  readonly dbSize?: string;
  readonly dbSizeInUse?: string;
  readonly leader?: string;
  readonly raftTerm?: string;
  readonly errors?: readonly string[];
}

export function statusOf(answer: WireStatus): EndpointStatus {
  const { header, version, dbSize, dbSizeInUse = dbSize, leader = '0', raftTerm } = answer;
  const { errors = [] } = answer;
  return {
    memberId: textOf(header?.member_id),
    version: textOf(version),
    databaseBytes: numberOf(dbSize),
    usedBytes: numberOf(dbSizeInUse),
    leaderId: textOf(leader),
    term: numberOf(raftTerm),
    faults: errors.map(textOf),
  };
}
