import { CACHE_BYTES } from '../../once/limits.ts';
import { checkAccessFits } from '../../server/access.ts';
import type { NodeRequest, RunningNode } from '../once/node.ts';
import { ACCESS, ADDRESS, HTTP } from '../options/clients.ts';
import { ETCD, placeOf } from '../options/etcd.ts';
import { misuse, notAllowed, optionGroup, type ValuesOf } from '../options/option.ts';
import { BOOLEAN, COUNT, FILE, parseUrl, SIZE } from '../options/values.ts';
import { interruptible } from '../process/interrupt.ts';
import { defineCommand } from './command.ts';

/** Nodes of a trial. */
const NODES_MAX = 16;

const SERVING = optionGroup('Serving', {
  http: { ...ADDRESS, help: 'where to listen for HTTP', fallback: '127.0.0.1:11000' },
  announce: {
    placeholder: 'URL',
    help: 'where other nodes reach the HTTP API of this one, for their admin pages',
    parse: parseUrl,
    fallbackNote: 'where -http listens',
  },
  addr: {
    ...ADDRESS,
    help: 'where to listen for memcached and Redis clients; -http-token-file does not apply to them',
    fallbackNote: 'nowhere',
  },
  'auth-file': {
    ...FILE,
    help: "file of user:password lines; clients log in by HTTP Basic, as with memcached's -Y, or by Redis' AUTH",
    fallbackNote: 'no login',
  },
  'http-host': HTTP['http-host'],
  'http-token-file': {
    ...FILE,
    help: 'file of the token that HTTP clients need to create keys',
    fallbackNote: 'everybody may',
  },
  allow: ACCESS.allow,
  'tls-cert': ACCESS['tls-cert'],
  'tls-key': ACCESS['tls-key'],
  'tls-client-ca': ACCESS['tls-client-ca'],
  'cache-size': {
    ...SIZE,
    help: 'memory for cached values',
    parse(text: string): number {
      const bytes = SIZE.parse(text);
      if (bytes > 0) return bytes;
      throw notAllowed(text, 'a size of at least one byte: a small cache keeps nothing');
    },
    fallback: `${CACHE_BYTES / 2 ** 20}MiB`,
  },
  warm: {
    ...BOOLEAN,
    help: 'fill the cache with the existing keys, and with those that other nodes create',
  },
  'stale-reads': {
    ...BOOLEAN,
    help: 'read from one member of etcd, which may lag behind and call a new key absent: reads go on without a quorum',
  },
});

const TRIAL = optionGroup('Trials', {
  dev: { ...BOOLEAN, help: 'start an etcd in a temporary folder, which is removed at the end' },
  nodes: {
    ...COUNT,
    help: 'up: how many nodes to start, on consecutive ports',
    parse(text: string): number {
      const count = COUNT.parse(text);
      if (count <= NODES_MAX) return count;
      throw notAllowed(text, `at most ${NODES_MAX}`);
    },
    fallback: '3',
  },
});

const OPTIONS = {
  ...ETCD,
  etcd: { ...ETCD.etcd, fallbackNote: 'required, except with -dev and up' },
  ...SERVING,
  ...TRIAL,
};

export const once = defineCommand({
  name: 'once',
  summary: 'Serves keys that can be set only once; etcd keeps them.',
  usage: 'goromdb once -etcd URLS [flags] | -dev [flags] | up [-nodes N]',
  notes: `
Examples:
  goromdb once -dev
  goromdb once -etcd http://10.0.0.1:2379,http://10.0.0.2:2379 -http :11000
  goromdb once up

A node keeps nothing but a cache: run as many as you like. docs/once.md has the
API and what it guarantees.

up starts three etcds and gives each node all flags that it was given itself,
with consecutive ports for -http and -addr. It takes no -announce, since no two
nodes have the same URL. Neither up nor -dev takes flags about etcd.`,
  exitCodes: { 0: 'a signal ended it', 1: 'it failed', 2: 'a flag is wrong' },
  options: OPTIONS,
  takesArguments: ['up', 'import', 'export'],
  read({ values, given, args }) {
    const [word] = args;
    if (word === 'import' || word === 'export') {
      throw misuse(`"${word}" comes before all flags: goromdb once ${word}`);
    }
    const isUp = word === 'up';
    if (args.length > (isUp ? 1 : 0)) {
      throw misuse(`${JSON.stringify(args.at(-1))} is not expected: only "up" is`);
    }
    if (isUp || values.dev) checkTrial(values, isUp);
    else if (values.etcd === undefined) {
      throw misuse('-etcd is required: the client URLs of etcd; -dev starts one to try');
    }
    if (!isUp && given.has('nodes')) throw misuse('-nodes is for up: a node is one');
    return { kind: isUp ? 'up' : values.dev ? 'dev' : 'node', node: nodeOf(values), ...values };
  },
  async run({ kind, node, nodes }) {
    // Only here: every other command, and each start of a server, took 33 ms longer (2026-11-28).
    const { startNode } = await import('../once/node.ts');
    const { aborted, runDev, runUp } = await import('../once/trial-run.ts');
    let running: RunningNode | undefined;
    const onHangUp = kind === 'node' ? () => void running?.reload() : undefined;
    await interruptible(async (signal) => {
      if (kind === 'up') return runUp(node, nodes, signal);
      if (kind === 'dev') return runDev(node, signal);
      running = await startNode(node);
      await aborted(signal);
      return running.close();
    }, onHangUp);
    return 0;
  },
});

/** @throws GoromdbError OPTION_INVALID for what a trial would not heed. */
function checkTrial(values: ValuesOf<typeof OPTIONS>, isUp: boolean): void {
  const own = ['etcd', 'etcd-login-file', 'etcd-ca', 'etcd-cert', 'etcd-key'] as const;
  const given = own.find((name) => values[name] !== undefined);
  if (given !== undefined)
    throw misuse(`-${given} is not for a trial, which has an etcd of its own`);
  if (isUp && values.dev)
    throw misuse('-dev is a trial with one node, and up with several: give one');
  if (isUp && values.announce !== undefined) {
    throw misuse('-announce is not for up: no two nodes have one URL');
  }
}

function nodeOf(values: ValuesOf<typeof OPTIONS>): NodeRequest {
  const { 'tls-cert': certFile, 'tls-key': keyFile, 'tls-client-ca': clientCaFile } = values;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw misuse('-tls-cert and -tls-key belong together: give both or none');
  }
  if (clientCaFile !== undefined && certFile === undefined) {
    throw misuse('-tls-client-ca: it needs -tls-cert and -tls-key');
  }
  if (values.addr === undefined) checkAccessFits({ allow: values.allow ?? [] }, values.http);
  return {
    place: placeOf(values),
    staleReads: values['stale-reads'],
    warm: values.warm,
    cacheBytes: Number.isFinite(values['cache-size']) ? values['cache-size'] : 2 ** 40,
    http: values.http,
    announce: values.announce,
    addr: values.addr,
    authFile: values['auth-file'],
    hosts: values['http-host'] ?? [],
    tokenFile: values['http-token-file'],
    allow: values.allow,
    tls: certFile && keyFile ? { certFile, keyFile, clientCaFile } : undefined,
  };
}
