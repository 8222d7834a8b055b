import type { Reply } from '../reply.ts';
import {
  type Call,
  type Command,
  fail,
  isInteger,
  NOT_AN_INTEGER,
  plainCommand,
  runSubcommand,
  type Subcommands,
} from './command.ts';
import { appendArray, appendBulkText, appendInteger, appendSimple } from './output.ts';

/** ROLE: clients that send writes to a master and reads to replicas must take it for either. */
function role(_: Call, reply: Reply): void {
  appendArray(reply, 3);
  appendBulkText(reply, 'master');
  appendInteger(reply, 0);
  appendArray(reply, 0);
}

/** WAIT replicas milliseconds: there are no replicas, and no writes to wait for. */
function wait(call: Call, reply: Reply): void {
  const { args } = call;
  if (isInteger(args.nextText()) && isInteger(args.nextText())) appendInteger(reply, 0);
  else fail(call, reply, NOT_AN_INTEGER);
}

function none(_: Call, reply: Reply): void {
  appendArray(reply, 0);
}

function zero(_: Call, reply: Reply): void {
  appendInteger(reply, 0);
}

/** Nothing is recorded of slow commands, so there is nothing to show. */
const SLOWLOG_SUBCOMMANDS: Subcommands = new Map([
  ['get', { arity: -2, run: none }],
  ['len', { arity: 2, run: zero }],
  ['reset', { arity: 2, run: (_, reply) => appendSimple(reply, 'OK') }],
]);

/** As Redis without `latency-monitor-threshold`. */
const LATENCY_SUBCOMMANDS: Subcommands = new Map([
  ['latest', { arity: 2, run: none }],
  ['history', { arity: 3, run: none }],
  ['reset', { arity: -2, run: zero }],
]);

/** What monitors ask for, and of what there is never anything to tell. */
export const IDLE_FACTS: readonly Command[] = [
  plainCommand('role', 1, role),
  plainCommand('wait', 3, wait, []),
  plainCommand('slowlog', -2, (call, reply) =>
    runSubcommand(call, reply, 'slowlog', SLOWLOG_SUBCOMMANDS),
  ),
  plainCommand('latency', -2, (call, reply) =>
    runSubcommand(call, reply, 'latency', LATENCY_SUBCOMMANDS),
  ),
];
