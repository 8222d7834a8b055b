/**
 * What belongs in this folder: a client of etcd, by its JSON gateway: keys, transactions, leases,
 * watches, members.
 */

/**
 * What came of a request. An unknown outcome is no failure: etcd may have done what was asked, or may
 * do it later, and only a later read tells.
 */
export type Outcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'unknown'; readonly why: string }
  | { readonly kind: 'not-done'; readonly reason: Refusal; readonly why: string };

/**
 * Why etcd has not done it, and will not: no endpoint was reached, or has a quorum (`unreachable`);
 * its database is full (`quota`); it has too much to do (`busy`); credentials (`forbidden`); the
 * revision is gone (`compacted`); all else (`invalid`).
 */
export type Refusal = 'unreachable' | 'quota' | 'busy' | 'forbidden' | 'compacted' | 'invalid';

export interface KeyValue {
  readonly key: Buffer;
  /** Empty where only keys were asked for. */
  readonly value: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** Keys at one revision of the store. */
export interface Found {
  readonly revision: number;
  readonly records: readonly KeyValue[];
  /** Whether there are more than the limit. */
  readonly hasMore: boolean;
}

/** Which keys, and how. */
export interface Range {
  readonly key: Buffer;
  /** The first key that is not wanted any more. Default: `key` alone. */
  readonly end?: Buffer;
  readonly limit?: number;
  readonly keysOnly?: boolean;
  /** Whether the endpoint may answer alone, with what it has, which may be old. */
  readonly isStaleAllowed?: boolean;
  /** The revision to read at. Default: the newest. */
  readonly revision?: number;
}

export type Comparison =
  | { readonly key: Buffer; readonly createRevision: number }
  | { readonly key: Buffer; readonly modRevision: number }
  | { readonly key: Buffer; readonly value: Buffer };

/** A step of a transaction. */
export type Step =
  | { readonly range: Range }
  | { readonly put: { readonly key: Buffer; readonly value: Buffer; readonly lease?: string } }
  | { readonly remove: { readonly key: Buffer; readonly end?: Buffer } }
  | { readonly transaction: Transaction };

/** If all comparisons hold, the steps of `steps` are done, else those of `otherwise`; all at once. */
export interface Transaction {
  readonly compare: readonly Comparison[];
  readonly steps: readonly Step[];
  readonly otherwise?: readonly Step[];
}

export interface TransactionResult {
  readonly revision: number;
  /** Whether the comparisons held. */
  readonly succeeded: boolean;
  /** Of each step that was done: what a range found, or what a transaction did. */
  readonly done: readonly {
    readonly records?: readonly KeyValue[];
    readonly transaction?: TransactionResult;
  }[];
}

export interface Member {
  readonly id: string;
  readonly name: string;
  readonly clientUrls: readonly string[];
}

/** An endpoint as it sees itself. */
export interface EndpointStatus {
  readonly memberId: string;
  readonly version: string;
  /** Size of the file of its database, and what of it is in use. */
  readonly databaseBytes: number;
  readonly usedBytes: number;
  /** Id of the leader that it follows; `0`: it knows none. */
  readonly leaderId: string;
  readonly term: number;
  /** What it says is wrong, such as an alarm. */
  readonly faults: readonly string[];
}

/** A change that a watch reports. */
export interface Change {
  readonly kind: 'put' | 'removed';
  readonly record: KeyValue;
}

/** Whom changes are reported to. */
export interface Follower {
  onChange(change: Change, revision: number): void;
  /** The watch has broken off, and is being resumed. */
  onBreak?(why: string): void;
}

export interface Watcher extends Follower {
  /** All that is there at a revision. Called at first, and when changes were missed. */
  onList(found: Found): void;
}

/** A cluster of etcd. */
export interface Etcd {
  range(range: Range): Promise<Outcome<Found>>;
  put(key: Buffer, value: Buffer, lease?: string): Promise<Outcome<{ readonly revision: number }>>;
  /** How many keys there are from one on. @param end The first one that is not counted. */
  count(key: Buffer, end: Buffer): Promise<Outcome<number>>;
  transact(transaction: Transaction): Promise<Outcome<TransactionResult>>;
  /** @returns The id of a lease of so many seconds. */
  grantLease(seconds: number): Promise<Outcome<string>>;
  /** @returns The seconds that it has from now on; 0: there is no such lease any more. */
  renewLease(id: string): Promise<Outcome<number>>;
  revokeLease(id: string): Promise<Outcome<undefined>>;
  /** Reports what is under a prefix, and each change, until the signal. Resolves when it has ended. */
  watch(prefix: Buffer, watcher: Watcher, signal: AbortSignal): Promise<void>;
  /**
   * Reports each change of some keys from a revision on, and no list. Resolves by the signal, or when etcd
   * has compacted changes away that were not reported.
   */
  follow(
    range: Pick<Range, 'key'> & { readonly end: Buffer },
    from: number,
    follower: Follower,
    signal: AbortSignal,
  ): Promise<void>;
  members(): Promise<Outcome<readonly Member[]>>;
  status(endpoint: string): Promise<Outcome<EndpointStatus>>;
  /** Bytes that the database of an endpoint may have. */
  quota(endpoint: string): Promise<Outcome<number>>;
  /** The endpoints that were given. */
  readonly endpoints: readonly string[];
  close(): void;
}

/** The first key behind all keys with a prefix. */
export function endOfPrefix(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let at = end.length - 1; at >= 0; at--) {
    if (end[at] === 0xff) continue;
    end[at]++;
    return end.subarray(0, at + 1);
  }
  // etcd's word for "to the end of all keys".
  return Buffer.of(0);
}
