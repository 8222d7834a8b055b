import { messageOf } from '../common/errors.ts';
import type { Etcd, KeyValue, Outcome, TransactionResult } from '../etcd/etcd.ts';
import { compared, decodeItem, encodeItem } from './item.ts';
import { TRANSACTION_BYTES_MAX, TRANSACTION_KEYS_MAX } from './limits.ts';
import type { Creation, Reading, Store, Wish } from './once.ts';

export interface EtcdStoreOptions {
  /** What all keys in etcd begin with. */
  readonly prefix: string;
  /** Whether a member that lags behind may say that a key is absent. */
  readonly isStaleAllowed?: boolean;
}

/** The store itself. Consensus is etcd's: a key is created by one transaction, if it is not there. */
export function createEtcdStore(etcd: Etcd, options: EtcdStoreOptions): Store {
  const { isStaleAllowed = false } = options;
  const prefix = Buffer.from(options.prefix, 'utf8');
  const nameOf = (key: Buffer): Buffer => Buffer.concat([prefix, key]);

  const readAt = async (key: Buffer, isStale: boolean): Promise<Reading> => {
    const outcome = await etcd.range({ key: nameOf(key), isStaleAllowed: isStale });
    if (outcome.kind !== 'done') return { kind: 'unavailable', why: outcome.why };
    return readingOf(outcome.value.records);
  };
  const read = (key: Buffer): Promise<Reading> => readAt(key, isStaleAllowed);
  /** Of a key that was to be created: a member that lags behind might not have it yet. */
  const readNow = (key: Buffer): Promise<Reading> => readAt(key, false);

  /** A full etcd refuses all that might put something: of a key that is there, more can be said. */
  const whenFull = async (wish: Wish, creation: Creation): Promise<Creation> => {
    if (creation.kind !== 'full') return creation;
    const reading = await readNow(wish.key);
    return reading.kind === 'found' ? compared(wish, reading) : creation;
  };

  const create = async (wish: Wish): Promise<Creation> => {
    const key = nameOf(wish.key);
    const outcome = await etcd.transact({
      compare: [{ key, createRevision: 0 }],
      steps: [{ put: { key, value: encodeItem(wish) } }],
      otherwise: [{ range: { key } }],
    });
    if (outcome.kind !== 'done') return whenFull(wish, failed(outcome));
    const { succeeded, revision, done } = outcome.value;
    if (succeeded) return { kind: 'created', item: { ...wish, revision } };
    return refused(wish, readingOf(done[0]?.records ?? []));
  };

  /** Each key in a transaction of its own, all of them in one. */
  const createChunk = async (wishes: readonly Wish[]): Promise<readonly Creation[]> => {
    const steps = wishes.map((wish) => {
      const key = nameOf(wish.key);
      const compare = [{ key, createRevision: 0 }];
      return { transaction: { compare, steps: [{ put: { key, value: encodeItem(wish) } }] } };
    });
    const outcome = await etcd.transact({ compare: [], steps });
    if (outcome.kind !== 'done') {
      return Promise.all(wishes.map((wish) => whenFull(wish, failed(outcome))));
    }
    return Promise.all(
      wishes.map((wish, i) => chunkCreation(wish, outcome.value, i, () => readNow(wish.key))),
    );
  };

  return {
    read,
    create,
    async createAll(wishes) {
      const creations: Creation[] = [];
      for (const chunk of chunksOf(wishes)) {
        creations.push(...(await createChunk(chunk)));
        const last = creations.at(-1)!;
        if (last.kind !== 'unknown' && last.kind !== 'unavailable' && last.kind !== 'full')
          continue;
        const kind = last.kind === 'full' ? 'full' : 'unavailable';
        const rest = wishes.slice(creations.length);
        return [...creations, ...rest.map(() => ({ kind, why: last.why }) as const)];
      }
      return creations;
    },
  };
}

function readingOf([record]: readonly KeyValue[]): Reading {
  if (record === undefined) return { kind: 'absent' };
  try {
    return { kind: 'found', item: decodeItem(record.value, record.createRevision) };
  } catch (error) {
    return { kind: 'unavailable', why: messageOf(error) };
  }
}

/** What a creation came to that found the key there. */
function refused(wish: Wish, reading: Reading): Creation {
  if (reading.kind !== 'absent') return compared(wish, reading);
  return { kind: 'unavailable', why: 'the key was removed from etcd' };
}

async function chunkCreation(
  wish: Wish,
  { revision, done }: TransactionResult,
  i: number,
  read: () => Promise<Reading>,
): Promise<Creation> {
  if (done[i]?.transaction?.succeeded) return { kind: 'created', item: { ...wish, revision } };
  // Values are not asked for in the transaction: 127 of the largest would be its answer.
  return refused(wish, await read());
}

function failed(outcome: Exclude<Outcome<never>, { readonly kind: 'done' }>): Creation {
  const { kind, why } = outcome;
  if (kind === 'unknown') return { kind, why };
  return { kind: outcome.reason === 'quota' ? 'full' : 'unavailable', why };
}

/** As many as fit into a transaction. */
function chunksOf(wishes: readonly Wish[]): readonly (readonly Wish[])[] {
  const chunks: Wish[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const wish of wishes) {
    const more = wish.key.length + wish.value.length;
    const last = chunks.at(-1);
    if (
      last === undefined ||
      last.length === TRANSACTION_KEYS_MAX ||
      bytes + more > TRANSACTION_BYTES_MAX
    ) {
      chunks.push([wish]);
      bytes = more;
    } else {
      last.push(wish);
      bytes += more;
    }
  }
  return chunks;
}
