import type { Reply } from '../reply.ts';
import {
  type Call,
  type Command,
  excerpt,
  fail,
  isInteger,
  NOT_AN_INTEGER,
  plainCommand,
  runSubcommand,
  type Subcommands,
} from './command.ts';
import {
  appendArray,
  appendBulkText,
  appendInteger,
  appendMap,
  appendSimple,
  appendVerbatim,
} from './output.ts';

/** What LATENCY DOCTOR says. */
const NOTHING_RECORDED =
  'Latencies are not recorded here. `conn_yields` in the statistics counts how often a busy ' +
  'connection let the others go first; goromdb bench measures latencies from outside.\n';

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

function graph(call: Call, reply: Reply): void {
  const event = excerpt(call.args.nextText());
  fail(call, reply, `ERR No samples available for event '${event}'`);
}

function histogram({ client }: Call, reply: Reply): void {
  appendMap(reply, client.resp, 0);
}

function doctor({ client }: Call, reply: Reply): void {
  appendVerbatim(reply, client.resp, NOTHING_RECORDED);
}

/** Nothing is recorded of slow commands, so there is nothing to show. */
const SLOWLOG_SUBCOMMANDS: Subcommands = new Map([
  ['get', { arity: -2, help: ['[count]', 'An empty list.'], run: none }],
  ['len', { arity: 2, help: ['', '0.'], run: zero }],
  ['reset', { arity: 2, help: ['', 'Nothing.'], run: (_, reply) => appendSimple(reply, 'OK') }],
]);

/** As Redis without `latency-monitor-threshold`. */
const LATENCY_SUBCOMMANDS: Subcommands = new Map([
  ['latest', { arity: 2, help: ['', 'An empty list.'], run: none }],
  ['history', { arity: 3, help: ['event', 'An empty list.'], run: none }],
  ['graph', { arity: 3, help: ['event', 'That there are no samples.'], run: graph }],
  ['histogram', { arity: -2, help: ['[command ...]', 'Of no command.'], run: histogram }],
  ['doctor', { arity: 2, help: ['', 'That nothing is recorded.'], run: doctor }],
  ['reset', { arity: -2, help: ['[event ...]', '0.'], run: zero }],
]);

/** What monitors ask for, and what is always empty here. */
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
