import { resolve } from 'node:path';
import { formatBytes } from '../src/common/quantities.ts';
import { startTrialCluster } from '../src/once/trial/trial.ts';
import { type GeneratedData, generatedKey, generatedValue } from '../src/traffic/data-set.ts';
import { type Contest, compare, withFolder, withStarted } from './contest.ts';
import { isThere, placesFor } from './machine.ts';
import { figureOf, type LoadOptions, loadOnce, summed } from './measure.ts';
import {
  bareClient,
  byAdd,
  byEtcd,
  byEtcdAtOnce,
  byNode,
  type Creator,
  createsPerSecond,
  loadHttp,
  post,
  residentBytes,
} from './once-load.ts';
import { freePort, launch, type Running } from './processes.ts';
import type { Effort, Note, Row, SectionResult } from './result.ts';
import { MAIN, VALUE_BYTES } from './scenarios.ts';
import { startGoromdb, startMemcached } from './servers.ts';

const CLIENTS = [1, 8, 64] as const;
/** Members of etcd: one agrees with nobody. */
const MEMBERS = 3;
const BATCH_KEYS = 127;
const HTTP_CONNECTIONS = 50;
const MEMORY_KEYS = [100_000, 1_000_000] as const;

/** A node, by both of its addresses. */
interface Node {
  readonly wire: Running;
  readonly http: Running;
}

/** Keys that can be set only once, beside etcd alone, plain goromdb, and an empty handler. */
export async function once(effort: Effort): Promise<SectionResult> {
  if (!isThere('etcd', '--version')) {
    return { rows: [], notes: [{ name: 'left out', text: 'etcd is not installed' }] };
  }
  return withFolder(async (folder) => {
    const cluster = await startTrialCluster(folder, MEMBERS, [
      '--quota-backend-bytes',
      '8589934592',
    ]);
    const [url] = cluster.endpoints;
    try {
      const creations = await creating(url, effort);
      const data = { keys: Math.min(effort.keysMax, 100_000), valueBytes: VALUE_BYTES };
      const reads = await reading(url, data, effort);
      const memory = await memoryOf(url, effort);
      return { rows: reads.rows, notes: [...creations, ...reads.notes, ...memory] };
    } finally {
      await cluster.close();
    }
  });
}

async function startNode(
  etcd: string,
  flags: readonly string[] = [],
  cpus: string | undefined = undefined,
): Promise<Node> {
  const [port, httpPort] = [await freePort(), await freePort()];
  const command = [
    ...[process.execPath, resolve('bin/goromdb.js'), 'once', '-etcd', etcd],
    ...['-addr', `127.0.0.1:${port}`, '-http', `127.0.0.1:${httpPort}`, ...flags],
  ];
  const wire = await launch(
    { name: 'goromdb once', port, cpus, command, hasMeta: true },
    (running) => /answers HTTP on/.test(running.log()) && /listens on/.test(running.log()),
  );
  return { wire, http: { ...wire, port: httpPort } };
}

async function creating(etcdUrl: string, { seconds, rounds }: Effort): Promise<readonly Note[]> {
  const node = await startNode(etcdUrl);
  const hop = await startHop(etcdUrl);
  const etcd = bareClient(etcdUrl);
  const notes: Note[] = [];
  try {
    for (const count of [1, BATCH_KEYS]) {
      for (const clients of CLIENTS) {
        const creators = [byNode(node.http.port, count), byEtcd(etcd, count)];
        if (count === 1) creators.push(byAdd(node.wire.port), byNode(hop.port, count));
        else creators.push(byEtcdAtOnce(etcd, count));
        const [ours, bare, ...others] = await inTurn(creators, clients, seconds, rounds);
        const what = count === 1 ? '' : `, ${count} in a request`;
        const ratio = (rate: number): string => `${rate.toFixed(0)}, ${(rate / bare).toFixed(2)} ×`;
        const names =
          count === 1
            ? ["by memcached's add", 'a handler of node:http that only asks etcd']
            : ['such a client that creates all or none'];
        const also = names.map((name, i) => `${name} ${ratio(others[i])}`);
        notes.push({
          name: `creates a second, ${clients} clients${what}`,
          text: [`${ratio(ours)} a bare client of etcd, ${bare.toFixed(0)}`, ...also].join('; '),
        });
      }
    }
  } finally {
    etcd.close();
    await Promise.all([node.wire.stop(), hop.stop()]);
  }
  return notes;
}

/** @returns Keys a second of each, the median of all rounds. */
async function inTurn(
  creators: readonly Creator[],
  clients: number,
  seconds: number,
  rounds: number,
): Promise<readonly number[]> {
  const rates = creators.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, creator] of creators.entries()) {
      rates[i].push(await createsPerSecond(creator, clients, seconds));
    }
  }
  return rates.map((all) => figureOf(all).median);
}

async function reading(
  etcd: string,
  data: GeneratedData,
  effort: Effort,
): Promise<{ readonly rows: readonly Row[]; readonly notes: readonly Note[] }> {
  const { server: cpus } = placesFor(1);
  const node = await startNode(etcd, ['-cache-size', '1GiB'], cpus);
  const uncached = await startNode(etcd, ['-cache-size', '1B'], cpus);
  try {
    await fill(node.http.port, data);
    const http = await overHttp(node, effort);
    const starts = [
      (options: Parameters<typeof startGoromdb>[0]) => startGoromdb(options),
      (options: Parameters<typeof startGoromdb>[0]) =>
        startMemcached(effort.programs.memcached, options),
      async () => node.wire,
    ];
    return await withStarted(starts, data, 1, effort, async (contest) => {
      const rows: Row[] = [];
      for (const scenario of MAIN) rows.push(await compare(contest, scenario));
      return {
        rows,
        notes: [
          http,
          ...(await others(contest, uncached)),
          await overHttp(node, effort, ' after all that'),
        ],
      };
    });
  } finally {
    await Promise.all([node.wire.stop(), uncached.wire.stop()]);
  }
}

/** Redis' GET, and gets that ask etcd. */
async function others({ servers, options }: Contest, uncached: Node): Promise<readonly Note[]> {
  const [plain, , cached] = servers;
  const redis = { ...options, flags: ['-command', 'redis'] };
  const [ours, theirs] = [await cpuOf(cached, redis), await cpuOf(plain, redis)];
  const { requestsPerSecond, cpuMicros, p50Ms } = summed([await loadOnce(uncached.wire, options)]);
  return [
    {
      name: "Redis' GET, cached",
      text: `${ours.toFixed(1)} µs of processor time; plain goromdb ${theirs.toFixed(1)} µs`,
    },
    {
      name: 'get that asks etcd, 50 connections',
      text: `${requestsPerSecond.median.toFixed(0)}/s, ${cpuMicros.median.toFixed(0)} µs of processor time, p50 ${p50Ms.median.toFixed(1)} ms`,
    },
  ];
}

async function cpuOf(server: Running, options: LoadOptions): Promise<number> {
  return summed([await loadOnce(server, options)]).cpuMicros.median;
}

/** Creates the key of each request, and does nothing else: what one more process between costs over HTTP. */
const HOP = `import { createServer } from 'node:http';
import { connectEtcd } from ${JSON.stringify(resolve('dist/etcd/connect.js'))};
const [url, port] = process.argv.slice(1);
const etcd = connectEtcd({ endpoints: [url] });
createServer((request, response) => {
  let text = '';
  request.on('data', (piece) => (text += piece));
  request.on('end', async () => {
    const { key, value } = JSON.parse(text);
    const name = Buffer.from('/hop/' + key);
    const compare = [{ key: name, createRevision: 0 }];
    const steps = [{ put: { key: name, value: Buffer.from(value) } }];
    const { kind } = await etcd.transact({ compare, steps });
    response.writeHead(kind === 'done' ? 201 : 500).end();
  });
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));`;

async function startHop(etcdUrl: string): Promise<Running> {
  const port = await freePort();
  const args = ['--input-type=module', '-e', HOP, etcdUrl, String(port)];
  const command = [process.execPath, ...args];
  return launch({ name: 'hop', port, cpus: undefined, command }, (running) =>
    running.log().includes('ready'),
  );
}

/** A handler that answers as many bytes, and does nothing else. */
const EMPTY = `const { createServer } = require('node:http');
const body = Buffer.alloc(${VALUE_BYTES}, 'x');
createServer((request, response) => {
  response.writeHead(200, { 'content-length': body.length, 'content-type': 'text/plain' });
  response.end(body);
}).listen(Number(process.argv[1]), '127.0.0.1', () => console.log('ready'));`;

async function overHttp({ http }: Node, { seconds, rounds }: Effort, when = ''): Promise<Note> {
  const port = await freePort();
  const { server: cpus } = placesFor(1);
  const command = [process.execPath, '-e', EMPTY, String(port)];
  const empty = await launch({ name: 'empty handler', port, cpus, command }, (running) =>
    running.log().includes('ready'),
  );
  try {
    const path = `/key/${generatedKey(1)}`;
    const servers = [http, empty];
    const found = servers.map((): { perSecond: number[]; cpu: number[] } => {
      return { perSecond: [], cpu: [] };
    });
    for (let round = 0; round < rounds; round++) {
      for (const [i, server] of servers.entries()) {
        const { perSecond, cpuMicros } = await loadHttp(server, path, HTTP_CONNECTIONS, seconds);
        found[i].perSecond.push(perSecond);
        found[i].cpu.push(cpuMicros);
      }
    }
    const [ours, theirs] = found.map(({ perSecond, cpu }) => {
      return { rate: figureOf(perSecond).median, cpu: figureOf(cpu).median };
    });
    return {
      name: `cached GET over HTTP, ${HTTP_CONNECTIONS} connections${when}`,
      text: `${ours.rate.toFixed(0)}/s, ${ours.cpu.toFixed(1)} µs of processor time; an empty node:http handler ${theirs.rate.toFixed(0)}/s, ${theirs.cpu.toFixed(1)} µs: ${(ours.rate / theirs.rate).toFixed(2)} ×`,
    };
  } finally {
    await empty.stop();
  }
}

async function memoryOf(etcd: string, { keysMax }: Effort): Promise<readonly Note[]> {
  const notes: Note[] = [];
  for (const keys of MEMORY_KEYS.filter((count) => count <= keysMax)) {
    const flags = ['-cache-size', '4GiB', '-prefix', `/memory/${keys}/`];
    const { wire, http } = await startNode(etcd, flags);
    try {
      const emptyBytes = residentBytes(wire.pid);
      await fill(http.port, { keys, valueBytes: VALUE_BYTES });
      const bytes = residentBytes(wire.pid);
      notes.push({
        name: `private memory with ${keys} cached values of ${VALUE_BYTES} bytes`,
        text: `${formatBytes(bytes)}, ${((bytes - emptyBytes) / keys).toFixed(0)} bytes each (empty: ${formatBytes(emptyBytes)})`,
      });
    } finally {
      await wire.stop();
    }
  }
  return notes;
}

/** Creates the generated data set. */
async function fill(port: number, { keys, valueBytes }: GeneratedData): Promise<void> {
  const size = 10 * BATCH_KEYS;
  for (let from = 0; from < keys; from += size) {
    const wishes = Array.from({ length: Math.min(size, keys - from) }, (_, i) => {
      const key = generatedKey(from + i);
      return { key, value: generatedValue(key, valueBytes) };
    });
    const status = await post(port, '/keys', JSON.stringify(wishes));
    if (status !== 207) throw new Error(`POST /keys: ${status}`);
  }
}
