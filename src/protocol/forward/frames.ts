/**
 * How servers of one cluster ask each other for keys. Numbers are big-endian.
 *
 * Hello: magic, version, a zero, the shard that is asked (2 bytes), the epoch of the shards (8), the
 * length of `user password` (2), and that text. It is answered with a magic, version, status, the shard
 * that answers (2) and its epoch (8). Behind it, and without waiting for that answer, come the
 * requests: the length of a key (2) and the key. Each is answered, in order: see `ANSWER`.
 *
 * With the same epoch both know that all keys that are asked for belong to the shard that is asked.
 * With another one, as while shards are split, the server that is asked looks at each key, and says
 * who owns it if that is somebody else by its own shards.toml.
 */

/** No protocol of clients begins with this byte. */
export const HELLO_FIRST_BYTE = 0xf6;
export const HELLO_MAGIC: Buffer = Buffer.from([HELLO_FIRST_BYTE, 0x67, 0x66]);
export const WELCOME_MAGIC: Buffer = Buffer.from([0xf7, 0x67, 0x66]);
export const FORWARD_VERSION = 1;

/** Where the fields of a hello are; the bytes before the text. */
export const HELLO = { version: 3, shard: 5, epoch: 7, loginBytes: 15, bytes: 17 } as const;

/** The shard that is asked is not known: each key is looked at. */
export const ANY_SHARD = 0xffff;

/** And those of its answer. */
export const WELCOME = { version: 3, status: 4, shard: 5, epoch: 7, bytes: 15 } as const;

/** What is said to a hello. All but the first end the connection. */
export const WELCOME_STATUS = {
  ok: 0,
  /** goromdb 0.3.0 says so; later ones look at each key. */
  otherEpoch: 1,
  otherShard: 2,
  badLogin: 3,
  noData: 4,
  otherVersion: 5,
} as const;

/** Name and password may have this many bytes together. */
export const LOGIN_BYTES_MAX = 1024;

/**
 * Where the fields of an answer are: its status, the bytes of the key, the client flags, the bytes of
 * the value, the number of the request on its connection (modulo 2^32) and the value's unique number.
 * Behind a hit comes the record as the text protocol has it: `<key> <flags> <bytes>\r\n<value>\r\n`,
 * and behind `ELSEWHERE` a value alone: the addresses of the shard's servers, with spaces between.
 */
export const ANSWER = {
  status: 0,
  keyBytes: 2,
  flags: 4,
  valueBytes: 8,
  sequence: 12,
  cas: 16,
  bytes: 24,
} as const;

export const HIT = 0x48;
export const MISS = 0x4d;
/** By the shards.toml of the server that answers, the key belongs to another shard. */
export const ELSEWHERE = 0x45;

/** Servers of a shard that are named, and bytes of their addresses. */
export const ELSEWHERE_NODES_MAX = 8;
export const ELSEWHERE_BYTES_MAX = 4096;
