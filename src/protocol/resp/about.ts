import os from 'node:os';
import process from 'node:process';
import { VERSION } from '../../common/version.ts';
import { loadDetails, servedStats } from '../fields.ts';
import type { Reply } from '../reply.ts';
import {
  type Call,
  type Command,
  hasData,
  plainCommand,
  runSubcommand,
  type Subcommands,
  withView,
} from './command.ts';
import { Glob, PATTERN_BYTES_MAX } from './glob.ts';
import { appendArray, appendBulkText, appendMap, appendVerbatim } from './output.ts';
import { Rates } from './rates.ts';

/**
 * Clients choose by it what they send: redis-py keeps values of its own from this one on. The words
 * are those of 7.0.15, with which they are compared.
 */
export const REDIS_VERSION = '7.4.0';

const MS_PER_DAY = 24 * 60 * 60 * 1000;

type Field = readonly [name: string, value: string | number];
type Section = readonly [title: string, fields: (call: Call) => readonly Field[]];

function server({ context, cluster }: Call): readonly Field[] {
  const { facts } = context;
  const uptimeMs = Date.now() - facts.startedAt;
  return [
    ['redis_version', REDIS_VERSION],
    ['redis_mode', cluster === undefined ? 'standalone' : 'cluster'],
    ['goromdb_version', VERSION],
    ['os', `${os.type()} ${os.release()} ${os.machine()}`],
    ['arch_bits', 64],
    ['process_id', process.pid],
    ['uptime_in_seconds', Math.floor(uptimeMs / 1000)],
    ['uptime_in_days', Math.floor(uptimeMs / MS_PER_DAY)],
    ['serving_threads', facts.threads],
  ];
}

function clients({ context }: Call): readonly Field[] {
  return [
    ['connected_clients', context.sumCounters().curr_connections],
    ['blocked_clients', 0],
    ['maxclients', context.facts.connectionsMax],
  ];
}

function memory(call: Call): readonly Field[] {
  return [
    ['used_memory', process.memoryUsage.rss()],
    ['used_memory_dataset', withView(call, (view) => view.info.bytes)],
    ['maxmemory', 0],
    ['maxmemory_policy', 'noeviction'],
  ];
}

/**
 * Clients wait with their first command until nothing is loading. A node of a cluster without any data
 * has others that have it.
 */
function persistence(call: Call): readonly Field[] {
  if (call.cluster === undefined || hasData(call)) return [['loading', 0]];
  return [
    ['loading', 1],
    ['loading_eta_seconds', 1],
  ];
}

/** The rates that INFO shows, of all threads, between two looks of this thread's clients. */
class InfoRates {
  #rates: Rates | undefined;

  of(startedAtMs: number): Rates {
    this.#rates ??= new Rates(startedAtMs);
    return this.#rates;
  }
}

function stats({ context }: Call): readonly Field[] {
  const counters = context.sumCounters();
  const rates = context.shared.get(InfoRates).of(context.facts.startedAt).look(
    {
      commands: counters.cmd_redis,
      bytesRead: counters.bytes_read,
      bytesWritten: counters.bytes_written,
    },
    Date.now(),
  );
  return [
    ['total_connections_received', counters.total_connections],
    ['total_commands_processed', counters.cmd_redis],
    ['instantaneous_ops_per_sec', Math.round(rates.commands)],
    ['instantaneous_input_kbps', (rates.bytesRead / 1024).toFixed(2)],
    ['instantaneous_output_kbps', (rates.bytesWritten / 1024).toFixed(2)],
    ['rejected_connections', counters.rejected_connections],
    ['total_net_input_bytes', counters.bytes_read],
    ['total_net_output_bytes', counters.bytes_written],
    ['keyspace_hits', counters.get_hits],
    ['keyspace_misses', counters.get_misses],
    ['expired_keys', 0],
    ['evicted_keys', 0],
    ['protocol_errors', counters.protocol_errors],
    ['loads_taken', counters.loads_taken],
    ['loads_rejected', counters.loads_rejected],
    ['loads_failed', counters.loads_failed],
  ];
}

function replication(): readonly Field[] {
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
  ];
}

function cluster(call: Call): readonly Field[] {
  return [['cluster_enabled', call.cluster === undefined ? 0 : 1]];
}

function keyspace(call: Call): readonly Field[] {
  const { keys } = withView(call, (view) => view.info);
  return keys === 0 ? [] : [['db0', `keys=${keys},expires=0,avg_ttl=0`]];
}

/** Of several data sets each follows, in the form of `Keyspace`. */
function dataset(call: Call): readonly Field[] {
  const { context } = call;
  const now = Date.now();
  const info = withView(call, (view) => view.info);
  const news = [...(context.loadNews ?? [])].flatMap(([prefix, one]) => {
    return loadDetails(one).map(
      ([name, value]): Field => [prefix === '' ? name : `dataset_${prefix}_${name}`, value],
    );
  });
  const sets = [...(info.dataSets ?? [])].map(([prefix, own]): Field => {
    const fields = servedStats(own, now).map(([name, value]) => `${name}=${value}`);
    return [`dataset_${prefix}`, fields.join(',')];
  });
  return [...servedStats(info, now), ...sets, ...news];
}

const SECTIONS: readonly Section[] = [
  ['Server', server],
  ['Clients', clients],
  ['Memory', memory],
  ['Persistence', persistence],
  ['Stats', stats],
  ['Replication', replication],
  ['Cluster', cluster],
  ['Keyspace', keyspace],
  ['Dataset', dataset],
];

/** Names that mean every section. */
const ALL_SECTIONS: readonly string[] = ['default', 'all', 'everything'];

/** INFO [section …]: Redis' sections and fields as far as they make sense here, and `dataset`. */
function info(call: Call, reply: Reply): void {
  const asked = new Set<string>();
  while (call.args.left > 0) asked.add(call.args.nextWord());
  const wantsAll = asked.size === 0 || ALL_SECTIONS.some((name) => asked.has(name));
  const texts = SECTIONS.filter(([title]) => wantsAll || asked.has(title.toLowerCase())).map(
    ([title, fields]) => {
      const lines = fields(call).map(([name, value]) => `${name}:${value}\r\n`);
      return `# ${title}\r\n${lines.join('')}`;
    },
  );
  appendVerbatim(reply, call.client.resp, texts.join('\r\n'));
}

/** The settings that tools ask for before they begin. */
function settings({ context }: Call): readonly Field[] {
  return [
    ['appendonly', 'no'],
    ['databases', 1],
    ['maxclients', context.facts.connectionsMax],
    ['maxmemory', 0],
    ['maxmemory-policy', 'noeviction'],
    ['replica-read-only', 'yes'],
    ['save', ''],
  ];
}

/** CONFIG GET pattern … */
function configGet(call: Call, reply: Reply): void {
  const wanted = new Set<Field>();
  const all = settings(call);
  while (call.args.left > 0) {
    const pattern = Buffer.from(call.args.nextWord(), 'latin1');
    // A pattern of that length can be no name either.
    if (pattern.length > PATTERN_BYTES_MAX) continue;
    const glob = new Glob(pattern);
    for (const field of all) {
      const name = Buffer.from(field[0]);
      if (glob.matches(name, 0, name.length)) wanted.add(field);
    }
  }
  appendMap(reply, call.client.resp, wanted.size);
  for (const [name, value] of wanted) {
    appendBulkText(reply, name);
    appendBulkText(reply, String(value));
  }
}

const CONFIG_SUBCOMMANDS: Subcommands = new Map([
  ['get', { arity: -3, help: ['pattern ...', 'The settings whose names match.'], run: configGet }],
]);

/** TIME: seconds, and the microseconds of the second. */
function time(_: Call, reply: Reply): void {
  const now = Date.now();
  appendArray(reply, 2);
  appendBulkText(reply, String(Math.floor(now / 1000)));
  appendBulkText(reply, String((now % 1000) * 1000));
}

/** The commands about the server. */
export const ABOUT: readonly Command[] = [
  { ...plainCommand('info', -1, info, ['loading', 'stale']), work: 100 },
  {
    ...plainCommand(
      'config',
      -2,
      (call, reply) => runSubcommand(call, reply, 'config', CONFIG_SUBCOMMANDS),
      [],
    ),
    // A pattern is compared with each setting.
    argWork: 8,
  },
  plainCommand('time', 1, time),
];
