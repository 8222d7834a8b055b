import process from 'node:process';
import { type Address, parseAddress } from '../../common/address.ts';
import { SHARDS_MAX, type TcpAddress, type Topology } from '../../shards/shards.ts';
import { readShards } from '../../shards/shards-file.ts';
import { askNodes, isWell, linesOf } from '../cluster/cluster-status.ts';
import { gomemcacheSnippet } from '../cluster/gomemcache.ts';
import { haproxyFile } from '../cluster/haproxy.ts';
import { phpMemcachedSnippet, pylibmcSnippet } from '../cluster/libmemcached.ts';
import { nutcrackerFile } from '../cluster/nutcracker.ts';
import { pymemcacheSnippet } from '../cluster/pymemcache.ts';
import type { TrialRequest } from '../cluster/trial.ts';
import { ASKING, askingOf, refuseAsking } from '../options/asking.ts';
import { misuse, notAllowed, optionGroup, type ValuesOf } from '../options/option.ts';
import { checkInputs, ROW_OPTIONS, rowsOf } from '../options/rows.ts';
import { BOOLEAN, COUNT, FOLDER, parseName } from '../options/values.ts';
import { interruptible } from '../process/interrupt.ts';
import type { Asking } from '../remote/memcached-stats.ts';
import { defineCommand } from './command.ts';

/** Nodes of a trial: each is two processes. */
const TRIAL_NODES_MAX = 64;

const FILES = optionGroup('Flags', {
  shards: {
    placeholder: 'FILE|N',
    help: 'shards.toml, which says which nodes have which keys; up: how many shards (default: 4)',
    parse: parseName,
  },
  listen: {
    placeholder: 'ADDRESS',
    help: 'nutcracker, haproxy: where the proxy listens',
    parse: parseAddress,
    fallback: '127.0.0.1:22121',
  },
  redis: { ...BOOLEAN, help: "nutcracker: its clients speak Redis' protocol, not memcached's" },
  json: { ...BOOLEAN, help: 'status: print JSON' },
});

const TRIAL = optionGroup('A cluster to try: up', {
  replicas: { ...COUNT, help: 'nodes of each shard', fallback: '2' },
  dir: {
    ...FOLDER,
    help: 'folder of shards.toml, manifest.json, and the data and logs of the nodes; without INPUT, the nodes serve what it holds',
    fallbackNote: 'a temporary folder',
  },
  addr: {
    placeholder: 'ADDRESS',
    help: 'where the first node answers every key; the others take the next ports; port 0: any free ports',
    parse: parseTcp,
    fallback: '127.0.0.1:11211',
  },
  'cluster-addr': {
    placeholder: 'ADDRESS',
    help: 'where the first node answers Redis Cluster clients; the others take the next ports',
    parse: parseTcp,
    fallback: '127.0.0.1:7000',
  },
});

const OPTIONS = { ...FILES, ...ASKING, ...TRIAL, ...ROW_OPTIONS };

interface More {
  readonly listen: Address;
  readonly isRedis: boolean;
}

/** What is printed, by the word that asks for it. */
const TEXTS: Readonly<Record<string, (topology: Topology, more: More) => string>> = {
  nutcracker: (topology, more) => nutcrackerFile({ topology, ...more }),
  haproxy: (topology, { listen }) => haproxyFile(topology, listen),
  pymemcache: pymemcacheSnippet,
  pylibmc: pylibmcSnippet,
  'php-memcached': phpMemcachedSnippet,
  gomemcache: gomemcacheSnippet,
};

const WORDS = ['up', 'status', ...Object.keys(TEXTS)];

interface StatusRequest {
  readonly kind: 'status';
  readonly topology: Topology;
  readonly json: boolean;
  readonly asking: Asking;
}

type Request =
  | { readonly kind: 'text'; readonly text: string }
  | StatusRequest
  | { readonly kind: 'up'; readonly trial: TrialRequest };

export const cluster = defineCommand({
  name: 'cluster',
  summary: 'Runs a trial cluster, shows the state of one, prints files for its clients.',
  usage:
    'goromdb cluster up [flags] [INPUT...]\n       goromdb cluster status|WHAT -shards FILE [flags]',
  notes: `
Examples:
  goromdb cluster up -shards 4 -replicas 2
  goromdb cluster status -shards shards.toml
  goromdb cluster status -shards shards.toml -tls
  goromdb cluster nutcracker -shards shards.toml > nutcracker.yml
  goromdb cluster pymemcache -shards shards.toml > shards.py

up splits INPUT, or a sample, starts a process for each node on this machine,
checks that each of them answers every key, and ends all at Ctrl-C.
status asks all nodes what they serve; -tls-ca and -auth-file are for nodes with
TLS or a login.
WHAT is nutcracker or haproxy, to print the configuration of that proxy; or
pymemcache, pylibmc, php-memcached or gomemcache, to print a file in the
language of that client. Print it again when shards.toml changes.`,
  exitCodes: {
    0: 'done; status: all nodes serve',
    1: 'it failed; status: a node does not answer, has no data, or has other data than the first node of its shard',
    2: 'a flag is wrong, or the client cannot use these shards',
  },
  options: OPTIONS,
  takesArguments: WORDS,
  read({ values, args, given }): Request {
    const [what, ...inputs] = args;
    if (!WORDS.includes(what)) {
      const found = what === undefined ? 'nothing' : JSON.stringify(what);
      throw misuse(`expected one of ${WORDS.join(', ')}, found ${found}`);
    }
    if (what !== 'status') refuseAsking(given, `it is for status, not for ${what}`);
    if (what === 'up') return { kind: 'up', trial: trialOf(values, inputs, given) };
    if (inputs.length > 0) throw misuse(`${JSON.stringify(inputs[0])} is not expected`);
    const { shards, listen, redis: isRedis, json } = values;
    if (shards === undefined)
      throw misuse('-shards is required: the file that says what servers have which keys');
    const topology = readShards(shards);
    if (what === 'status') return { kind: 'status', topology, json, asking: askingOf(values) };
    return { kind: 'text', text: TEXTS[what](topology, { listen, isRedis }) };
  },
  async run(request: Request) {
    if (request.kind === 'up') {
      const { runTrial } = await import('../cluster/trial.ts');
      await interruptible((signal) => runTrial(request.trial, signal));
      return 0;
    }
    if (request.kind === 'status') return showStatus(request);
    process.stdout.write(request.text);
    return 0;
  },
});

async function showStatus({ topology, json, asking }: StatusRequest): Promise<0 | 1> {
  const states = await askNodes(topology, asking);
  const text = json ? JSON.stringify(states, undefined, 2) : linesOf(states).join('\n');
  process.stdout.write(`${text}\n`);
  return states.every(isWell) ? 0 : 1;
}

function trialOf(
  values: ValuesOf<typeof OPTIONS>,
  inputs: readonly string[],
  given: ReadonlySet<string>,
): TrialRequest {
  const { replicas, dir, addr: address, 'cluster-addr': clusterAddress } = values;
  const shards = shardsOf(values.shards ?? '4');
  if (shards * replicas > TRIAL_NODES_MAX) {
    throw misuse(`expected at most ${TRIAL_NODES_MAX} nodes, found ${shards} × ${replicas}`);
  }
  if (inputs.length > 0) checkInputs(inputs, 'an INPUT');
  const row = inputs.length === 0 && Object.keys(ROW_OPTIONS).find((name) => given.has(name));
  if (row) throw misuse(`-${row} is for INPUT, and there is none`);
  const records = { inputs, ...rowsOf(values, given) };
  return { shards, replicas, dir, address, clusterAddress, records };
}

function shardsOf(text: string): number {
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count > 0 && count <= SHARDS_MAX && (count & (count - 1)) === 0) return count;
  throw misuse(`-shards: expected 1, 2, 4, … ${SHARDS_MAX} with up, found ${JSON.stringify(text)}`);
}

function parseTcp(text: string): TcpAddress {
  const address = parseAddress(text);
  if (address.kind === 'tcp' && address.host !== undefined) return address;
  throw notAllowed(text, 'HOST:PORT of this machine, such as 127.0.0.1:11211');
}
