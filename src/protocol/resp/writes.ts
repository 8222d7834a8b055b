import type { CounterName } from '../counters.ts';

/** What Redis says to who writes to a replica: clients know it, and keep the connection. */
export const READ_ONLY = "READONLY You can't write against a read only replica.";

/** A command that is refused. */
export interface Write {
  readonly name: string;
  /** Arguments with the name; negative: at least so many. */
  readonly arity: number;
  /** What counts the refusal: the counters of the memcached command that comes closest. */
  readonly counters: readonly CounterName[];
}

/**
 * The commands that have the flag `write` in Redis' command table (7.0, with the later ones on
 * hash fields), each with its arity.
 */
const NAMES = `
  append 3, bitfield -2, bitop -4, blmove 6, blmpop -5, blpop -3, brpop -3, brpoplpush 4,
  bzmpop -5, bzpopmax -3, bzpopmin -3, copy -3, decr 2, decrby 3, del -2, expire -3, expireat -3,
  flushall -1, flushdb -1, geoadd -5, georadius -6, georadiusbymember -5, geosearchstore -8,
  getdel 2, getex -2, getset 3, hdel -3, hexpire -6, hexpireat -6, hincrby 4, hincrbyfloat 4,
  hmset -4, hpersist -5, hpexpire -6, hpexpireat -6, hset -4, hsetnx 4, incr 2, incrby 3,
  incrbyfloat 3, linsert 5, lmove 5, lmpop -4, lpop -2, lpush -3, lpushx -3, lrem 4, lset 4,
  ltrim 4, migrate -6, move 3, mset -3, msetnx -3, persist 2, pexpire -3, pexpireat -3, pfadd -2,
  pfdebug 3, pfmerge -2, psetex 4, rename 3, renamenx 3, restore -4, restore-asking -4, rpop -2,
  rpoplpush 3, rpush -3, rpushx -3, sadd -3, sdiffstore -3, set -3, setbit 4, setex 4, setnx 3,
  setrange 4, sinterstore -3, smove 4, sort -2, spop -2, srem -3, sunionstore -3, swapdb 3,
  unlink -2, xack -4, xadd -5, xautoclaim -6, xclaim -6, xdel -3, xgroup -2, xreadgroup -7,
  xsetid -3, xtrim -4, zadd -4, zdiffstore -4, zincrby 4, zinterstore -4, zmpop -4, zpopmax -2,
  zpopmin -2, zrangestore -5, zrem -3, zremrangebylex 4, zremrangebyrank 4, zremrangebyscore 4,
  zunionstore -4
`;

/** All others count as a set. */
const COUNTERS: Readonly<Record<string, readonly CounterName[]>> = {
  del: ['delete_misses', 'refused_delete'],
  unlink: ['delete_misses', 'refused_delete'],
  getdel: ['delete_misses', 'refused_delete'],
  incr: ['incr_misses', 'refused_incr'],
  incrby: ['incr_misses', 'refused_incr'],
  incrbyfloat: ['incr_misses', 'refused_incr'],
  decr: ['decr_misses', 'refused_decr'],
  decrby: ['decr_misses', 'refused_decr'],
  expire: ['cmd_touch', 'touch_misses', 'refused_touch'],
  expireat: ['cmd_touch', 'touch_misses', 'refused_touch'],
  pexpire: ['cmd_touch', 'touch_misses', 'refused_touch'],
  pexpireat: ['cmd_touch', 'touch_misses', 'refused_touch'],
  persist: ['cmd_touch', 'touch_misses', 'refused_touch'],
  getex: ['cmd_touch', 'touch_misses', 'refused_touch'],
  flushall: ['cmd_flush', 'refused_flush_all'],
  flushdb: ['cmd_flush', 'refused_flush_all'],
};

/** The commands that are refused because they write. */
export const WRITES: readonly Write[] = NAMES.trim()
  .split(/,\s+/)
  .map((entry) => {
    const [name, arity] = entry.split(' ');
    return { name, arity: Number(arity), counters: COUNTERS[name] ?? ['cmd_set', 'refused_set'] };
  });
