import { messageOf } from '../common/errors.ts';
import type {
  Etcd,
  KeyValue,
  Outcome,
  Refusal,
  Transaction,
  TransactionResult,
} from '../etcd/etcd.ts';
import { type Commit, GroupCommit } from './group-commit.ts';
import { compared, decodeItem, encodeItem } from './item.ts';
import { TRANSACTION_KEYS_MAX } from './limits.ts';
import type { Creation, Reading, Store, Wish } from './once.ts';

export interface EtcdStoreOptions {
  /** What all keys in etcd begin with. */
  readonly prefix: string;
  /** Whether a member that lags behind may say that a key is absent. */
  readonly isStaleAllowed?: boolean;
  /** Default: `CREATE_MS_MAX`. */
  readonly createMsMax?: number;
}

/** Keys of a transaction that asks for what they have: of more, the values might be too much at once. */
const VALUES_ASKED_MAX = 8;
/** Why etcd refuses all keys of a transaction for the sake of one, or because they are so many. */
const OF_A_KEY: readonly Refusal[] = ['invalid', 'forbidden'];

/** Of a key that was there, and is not any more. */
const REMOVED: Creation = { kind: 'unavailable', why: 'the key was removed from etcd' };

type Client = Pick<Etcd, 'range' | 'transact'>;

/** The store itself. Consensus is etcd's: a key is created by a transaction, if it is not there. */
export function createEtcdStore(etcd: Client, options: EtcdStoreOptions): Store {
  const { isStaleAllowed = false } = options;
  const prefix = Buffer.from(options.prefix, 'utf8');
  const nameOf = (key: Buffer): Buffer => Buffer.concat([prefix, key]);

  const readAt = async (key: Buffer, isStale: boolean): Promise<Reading> => {
    const outcome = await etcd.range({ key: nameOf(key), isStaleAllowed: isStale });
    if (outcome.kind !== 'done') return { kind: 'unavailable', why: outcome.why };
    return readingOf(outcome.value.records);
  };
  // A member that lags behind might not have a key that was to be created.
  const commit = createCommit(etcd, nameOf, (key) => readAt(key, false));
  const group = new GroupCommit(commit, options.createMsMax);

  return {
    read: (key) => readAt(key, isStaleAllowed),
    create: (wish) => group.create(wish),
    async createAll(wishes) {
      const creations: Creation[] = [];
      while (creations.length < wishes.length) {
        const from = creations.length;
        const chunk = wishes.slice(from, from + TRANSACTION_KEYS_MAX);
        creations.push(...(await group.createAll(chunk)));
        // A full etcd refuses at once what is new, and the rest may be there already.
        const failure = creations.slice(from).find(isOutage);
        if (failure === undefined) continue;
        const { why } = failure;
        const rest = wishes.slice(creations.length);
        return [...creations, ...rest.map(() => ({ kind: 'unavailable', why }) as const)];
      }
      return creations;
    },
  };
}

/**
 * Creates keys by one transaction: all of them, if none is there. Else each gets one of its own inside of
 * another one, which takes etcd 120 µs for a key of 127 where the former takes 87 (3.4.23, 2026-11-29).
 */
function createCommit(
  etcd: Client,
  nameOf: (key: Buffer) => Buffer,
  read: (key: Buffer) => Promise<Reading>,
): Commit {
  // It is never done, as there is no comparison that fails. Without it etcd sees nothing in the transaction
  // that takes room, since it does not look at those inside: 3.4.23 creates keys when it is full (2026-11-29).
  const never = { put: { key: nameOf(Buffer.of(0)), value: Buffer.alloc(0) } };
  /** Whether keys are likely to be new: the last ones were. */
  let areNew = true;

  const lookUp = async (wish: Wish, whenAbsent: Creation): Promise<Creation> => {
    const reading = await read(wish.key);
    return reading.kind === 'absent' ? whenAbsent : compared(wish, reading);
  };

  /**
   * What came of creations that etcd has refused. Of many, most have the same value already, as when an
   * import runs again: etcd compares them. 50,000 took 6.3 s so, and 12.3 s when each was read (2026-11-29).
   */
  const refusedAll = async (wishes: readonly Wish[], whenAbsent: Creation): ReturnType<Commit> => {
    const each = (wish: Wish): Promise<Creation> => lookUp(wish, whenAbsent);
    if (wishes.length <= VALUES_ASKED_MAX) return wishes.map(each);
    const outcome = await etcd.transact({
      compare: [],
      steps: wishes.map((wish) => {
        const key = nameOf(wish.key);
        const found = [{ range: { key, keysOnly: true } }];
        const compare = [{ key, value: encodeItem(wish) }];
        return { transaction: { compare, steps: found, otherwise: found } };
      }),
    });
    if (outcome.kind !== 'done') return wishes.map(each);
    return wishes.map((wish, i) => {
      const { succeeded, done } = outcome.value.done[i]?.transaction ?? {};
      const records = done?.[0]?.records;
      if (records === undefined) return each(wish);
      if (records.length === 0) return whenAbsent;
      return succeeded === true
        ? { kind: 'same', item: { ...wish, revision: records[0].createRevision } }
        : each(wish);
    });
  };

  const cameOf = async (
    wishes: readonly Wish[],
    results: readonly (TransactionResult | undefined)[],
  ): ReturnType<Commit> => {
    const came = wishes.map((wish, i) => outcomeOf(wish, results[i]));
    const others = await refusedAll(
      wishes.filter((_, i) => came[i] === undefined),
      REMOVED,
    );
    let next = 0;
    return came.map((creation) => creation ?? others[next++]);
  };

  /** @param asksValue Whether to ask for the value that the key has. */
  const creationOf = (wish: Wish, asksValue: boolean): Transaction => {
    const key = nameOf(wish.key);
    return {
      compare: [{ key, createRevision: 0 }],
      steps: [{ put: { key, value: encodeItem(wish) } }],
      otherwise: asksValue ? [{ range: { key } }] : [],
    };
  };

  const failedAll = async (
    wishes: readonly Wish[],
    outcome: Exclude<Outcome<never>, { readonly kind: 'done' }>,
  ): ReturnType<Commit> => {
    // One key that etcd does not take must not fail the others.
    if (wishes.length > 1 && outcome.kind === 'not-done' && OF_A_KEY.includes(outcome.reason)) {
      const half = Math.ceil(wishes.length / 2);
      const halves = [wishes.slice(0, half), wishes.slice(half)];
      return (await Promise.all(halves.map(commit))).flat();
    }
    const creation = failed(outcome);
    // A full etcd refuses all that might put something: of a key that is there, more can be said.
    return creation.kind === 'full' ? refusedAll(wishes, creation) : wishes.map(() => creation);
  };

  const commitOne = async (wish: Wish): ReturnType<Commit> => {
    const outcome = await etcd.transact(creationOf(wish, true));
    if (outcome.kind !== 'done') return failedAll([wish], outcome);
    return cameOf([wish], [outcome.value]);
  };

  const commitEach = async (wishes: readonly Wish[]): ReturnType<Commit> => {
    const asksValues = wishes.length <= VALUES_ASKED_MAX;
    const steps = wishes.map((wish) => ({ transaction: creationOf(wish, asksValues) }));
    const outcome = await etcd.transact({ compare: [], steps, otherwise: [never] });
    if (outcome.kind !== 'done') return failedAll(wishes, outcome);
    const { done } = outcome.value;
    areNew = done.every(({ transaction }) => transaction?.succeeded === true);
    return cameOf(
      wishes,
      done.map(({ transaction }) => transaction),
    );
  };

  const commitAll = async (wishes: readonly Wish[]): ReturnType<Commit> => {
    const all = wishes.map((wish) => creationOf(wish, false));
    const compare = all.flatMap((one) => one.compare);
    const outcome = await etcd.transact({ compare, steps: all.flatMap((one) => one.steps) });
    if (outcome.kind !== 'done') return failedAll(wishes, outcome);
    if (!outcome.value.succeeded) return commitEach(wishes);
    return cameOf(
      wishes,
      wishes.map(() => outcome.value),
    );
  };

  const commit: Commit = (wishes) => {
    if (wishes.length === 1) return commitOne(wishes[0]);
    return areNew ? commitAll(wishes) : commitEach(wishes);
  };
  return commit;
}

function readingOf([record]: readonly KeyValue[]): Reading {
  if (record === undefined) return { kind: 'absent' };
  try {
    return { kind: 'found', item: decodeItem(record) };
  } catch (error) {
    return { kind: 'unavailable', why: messageOf(error), isForeign: true };
  }
}

/** Whether the keys behind it are not asked for: etcd would not answer either. */
function isOutage(creation: Creation): creation is Extract<Creation, { why: string }> {
  if (creation.kind === 'unavailable') return creation.isForeign !== true;
  return creation.kind === 'unknown';
}

/** What a transaction says of a creation; undefined: the key is there, with whatever value. */
function outcomeOf(wish: Wish, result: TransactionResult | undefined): Creation | undefined {
  if (result === undefined) return { kind: 'unknown', why: 'etcd said nothing of this key' };
  if (result.succeeded) return { kind: 'created', item: { ...wish, revision: result.revision } };
  const records = result.done[0]?.records;
  if (records === undefined) return undefined;
  const reading = readingOf(records);
  return reading.kind === 'absent' ? REMOVED : compared(wish, reading);
}

function failed(outcome: Exclude<Outcome<never>, { readonly kind: 'done' }>): Creation {
  const { kind, why } = outcome;
  if (kind === 'unknown') return { kind, why };
  return { kind: outcome.reason === 'quota' ? 'full' : 'unavailable', why };
}
