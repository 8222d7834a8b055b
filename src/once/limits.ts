/** Limits on keys, values and requests. */

/** As memcached's protocols have it. */
export const KEY_BYTES_MAX = 250;
/** etcd takes requests of 1.5 MiB by default. */
export const VALUE_BYTES_MAX = 1024 * 1024;
/** A media type, with its parameters. */
export const TYPE_BYTES_MAX = 100;
/** Keys of one request that creates many. */
export const WISHES_MAX = 1_270;
/**
 * Keys of one transaction: etcd counts the steps of a transaction inside of another one together with
 * those of the outer one, and its --max-txn-ops is 128.
 */
export const TRANSACTION_KEYS_MAX = 127;
/** Bytes of the keys and values of one transaction. */
export const TRANSACTION_BYTES_MAX = 1024 * 1024 + 64 * 1024;
/** Transactions of creates that are under way at one time. */
export const TRANSACTIONS_MAX = 4;
/** Keys that have to wait for a further transaction to begin beside another one. */
export const SIDE_KEYS_MIN = 32;
/** One that takes longer does not count any more. */
export const TRANSACTION_STALLED_MS = 100;
/** Creates that wait for a transaction to be sent, and bytes of their values. */
export const WAITING_MAX = 16_384;
export const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/**
 * Bytes of keys and values of all transactions that are under way: a node takes six times as much, for their
 * JSON in base64. Of an etcd that did not answer any more, 128 transactions took 1.3 GB (2026-11-29).
 */
export const SENT_BYTES_MAX = 16 * 1024 * 1024;
/** A create is answered after this time, whatever etcd does. */
export const CREATE_MS_MAX = 5_000;
/** Of the cache, by default. */
export const CACHE_BYTES = 64 * 1024 * 1024;
/** Nodes that are registered, and shown. */
export const NODES_MAX = 256;
/** A node that is killed is shown for so long; as etcd counts, in seconds. */
export const LEASE_SECONDS = 6;
/** What a node says of itself. */
export const REGISTER_BYTES_MAX = 4 * 1024;
