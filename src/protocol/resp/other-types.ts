import type { Reply } from '../reply.ts';
import { type Call, type Command, fail, keyCommand, withView } from './command.ts';
import { appendArray, appendInteger, appendMap, appendNull, appendSet } from './output.ts';

const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';

/** What Redis answers to a reading command whose key is not there. */
type Empty = (call: Call, reply: Reply) => void;

const EMPTY: Readonly<Record<string, Empty>> = {
  zero: (_, reply) => appendInteger(reply, 0),
  null: ({ client }, reply) => appendNull(reply, client.resp),
  list: (_, reply) => appendArray(reply, 0),
  set: ({ client }, reply) => appendSet(reply, client.resp, 0),
  map: ({ client }, reply) => appendMap(reply, client.resp, 0),
};

/**
 * Reading commands of Redis 7.0 whose first argument is a key of another type than string, and which
 * have one answer when it is not there: the arity, and that answer.
 */
const NAMES = `
  llen 2 zero, lrange 4 list, lindex 3 null, lpos -3 null,
  hget 3 null, hgetall 2 map, hkeys 2 list, hvals 2 list, hlen 2 zero, hexists 3 zero,
  hstrlen 3 zero,
  scard 2 zero, smembers 2 set, sismember 3 zero,
  zcard 2 zero, zcount 4 zero, zlexcount 4 zero, zrange -4 list, zrevrange -4 list,
  zrangebyscore -4 list, zrevrangebyscore -4 list, zrangebylex -4 list, zrevrangebylex -4 list,
  zscore 3 null, zrank 3 null, zrevrank 3 null,
  xlen 2 zero, xrange -4 list, xrevrange -4 list,
  geodist -4 null, geosearch -7 list
`;

/** Whether the command's key, its next argument, is there: then it is a string. */
function isString(call: Call): boolean {
  const { args } = call;
  args.advance();
  return withView(call, (view) => view.get(args.input, args.start, args.end) !== undefined);
}

function readerOf(empty: Empty): Command['run'] {
  return (call, reply) => {
    if (isString(call)) fail(call, reply, WRONG_TYPE);
    else empty(call, reply);
  };
}

/** HMGET, SMISMEMBER and ZMSCORE may ask for so many members at once. */
export const MEMBERS_MAX = 1_000;

/** As `readerOf`, with an answer for each member that is asked for. */
function membersOf(one: Empty): Command['run'] {
  return (call, reply) => {
    const members = call.args.left - 1;
    if (isString(call)) {
      fail(call, reply, WRONG_TYPE);
    } else {
      appendArray(reply, members);
      for (let i = 0; i < members; i++) one(call, reply);
    }
  };
}

function membersCommand(name: string, one: Empty): Command {
  return { ...keyCommand(name, -3, membersOf(one)), argsMax: MEMBERS_MAX + 2, argWork: 1 };
}

/** Reads of lists, hashes, sets, sorted sets and streams: every record here is a string. */
export const OTHER_TYPES: readonly Command[] = [
  ...NAMES.trim()
    .split(/,\s+/)
    .map((entry) => {
      const [name, arity, empty] = entry.split(' ');
      return keyCommand(name, Number(arity), readerOf(EMPTY[empty]));
    }),
  membersCommand('hmget', EMPTY.null),
  membersCommand('smismember', EMPTY.zero),
  membersCommand('zmscore', EMPTY.null),
];
