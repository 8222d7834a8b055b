import process from 'node:process';
import { type Address, parseAddress } from '../../common/address.ts';
import {
  GENERATED_KEYS_MAX,
  GENERATED_VALUE_BYTES_MAX,
  type GeneratedData,
} from '../../traffic/data-set.ts';
import { fillServer } from '../../traffic/fill.ts';
import { keysOfFile, keysOfRedis, keysOfServer } from '../../traffic/key-source.ts';
import { fillRedis } from '../../traffic/redis-fill.ts';
import type { KeySource } from '../../traffic/requests.ts';
import { runTraffic, type TrafficPlan } from '../../traffic/traffic.ts';
import { misuse, optionGroup, type ValuesOf } from '../options/option.ts';
import {
  atMost,
  BOOLEAN,
  COUNT,
  DURATION,
  DURATION_OR_ZERO,
  FILE,
  oneOf,
  PERCENT,
  SIZE,
  THREADS,
} from '../options/values.ts';
import { progressLine, reportText } from '../process/bench-report.ts';
import { defineCommand } from './command.ts';

/** Connections, requests of a pipeline and keys of a request at most. */
const CONNECTIONS_MAX = 60_000;
const PIPELINE_MAX = 10_000;
const KEYS_PER_REQUEST_MAX = 1_000;

/** The traffic that was asked for; every value is checked. */
interface BenchRequest {
  readonly address: Address;
  /** All but the keys, which may have to be read first. */
  readonly plan: Omit<TrafficPlan, 'source'>;
  /** The generated data set; undefined: the server or a file lists the keys. */
  readonly generated: GeneratedData | undefined;
  readonly keysFile: string | undefined;
  /** Store the generated data set before the load. */
  readonly fill: boolean;
  /** Print the result as one line of JSON. */
  readonly json: boolean;
}

const KEYS = optionGroup('Keys', {
  keys: {
    ...COUNT,
    help: 'ask for N generated keys, key:00000000 and so on, and check their values',
    parse: atMost(GENERATED_KEYS_MAX, COUNT.parse),
    fallbackNote: 'all keys that the server lists',
  },
  'value-size': {
    ...SIZE,
    help: 'length of the generated values',
    parse: atMost(GENERATED_VALUE_BYTES_MAX, SIZE.parse),
    fallback: '100B',
  },
  fill: {
    ...BOOLEAN,
    help: 'first store the generated keys, with set, or with MSET for -command redis; for servers that accept writes',
  },
  'keys-file': { ...FILE, help: 'ask for the keys in this file, one in each line' },
  choose: {
    placeholder: 'HOW',
    help: 'uniform: every key equally often; zipf: some keys much more often than others',
    parse: oneOf('uniform', 'zipf'),
    fallback: 'uniform',
  },
  misses: {
    ...PERCENT,
    help: 'percentage of requested keys that the server does not have',
    fallback: '0',
  },
});

const REQUESTS = optionGroup('Requests', {
  command: {
    placeholder: 'NAME',
    help: "get; meta: quiet mg commands, ended by mn; redis: Redis' GET, or MGET with -multi",
    parse: oneOf('get', 'meta', 'redis'),
    fallback: 'get',
  },
  multi: {
    ...COUNT,
    help: 'keys in one request',
    parse: atMost(KEYS_PER_REQUEST_MAX, COUNT.parse),
    fallback: '1',
  },
  pipeline: {
    ...COUNT,
    help: 'requests that a connection sends at once',
    parse: atMost(PIPELINE_MAX, COUNT.parse),
    fallback: '1',
  },
});

const LOAD = optionGroup('Load', {
  connections: {
    ...COUNT,
    help: 'connections of all threads together',
    parse: atMost(CONNECTIONS_MAX, COUNT.parse),
    fallback: '50',
  },
  threads: {
    ...THREADS,
    help: 'threads that send; use more when one thread keeps its processor busy',
    fallback: '1',
  },
  rate: {
    ...COUNT,
    help: 'requests per second, sent on time whether replies arrive or not',
    fallbackNote: 'none: each connection sends when it has its reply',
  },
  warmup: { ...DURATION_OR_ZERO, help: 'time to send before measuring', fallback: '1s' },
  duration: { ...DURATION, help: 'time to measure', fallback: '10s' },
});

const RESULT = optionGroup('Result', {
  pid: {
    placeholder: 'PID',
    help: 'also report processor time and memory of this process, the server (Linux); repeat it for the sum of several processes, such as all nodes of a cluster',
    parse: (text: string): readonly number[] => [COUNT.parse(text)],
    repeats: true,
  },
  json: { ...BOOLEAN, help: 'print the result as one line of JSON' },
});

const OPTIONS = { ...KEYS, ...REQUESTS, ...LOAD, ...RESULT };

/** Ends with 0 when all replies were right. */
export const bench = defineCommand({
  name: 'bench',
  summary: 'Measures a memcached or Redis server under load.',
  usage: 'goromdb bench ADDRESS [flags]',
  notes: `
Examples:
  goromdb bench 127.0.0.1:11211 -duration 5s -pid 4242
  goromdb bench 127.0.0.1:6379 -command redis -pipeline 16 -json

Every reply is counted; one in a thousand is compared byte by byte. With -rate,
each thread keeps a processor busy, and a latency counts from the moment when
its request was due.`,
  exitCodes: {
    0: 'measured',
    1: 'a reply was wrong, or the server could not be measured',
    2: 'a flag is wrong',
    130: 'Ctrl-C ended it',
  },
  options: OPTIONS,
  takesArguments: true,
  read({ values, args }): BenchRequest {
    if (args.length !== 1) {
      throw misuse(
        `expected one address, as in "goromdb bench 127.0.0.1:11211"; found ${args.length}`,
      );
    }
    return requestOf(parseAddress(args[0]), values);
  },
  async run(request) {
    process.on('SIGINT', () => process.exit(130));
    const { plan, json } = request;
    const source = await keysOf(request);
    const line = progressLine(process.stderr);
    const report = await runTraffic({ ...plan, source }, line.show).finally(line.clear);
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : reportText(report, plan));
    return report.complaints.length > 0 ? 1 : 0;
  },
});

function requestOf(address: Address, values: ValuesOf<typeof OPTIONS>): BenchRequest {
  const { keys, fill, json, 'keys-file': keysFile } = values;
  if (values.connections < values.threads) {
    throw misuse('-connections: each thread needs one; use more connections or fewer -threads');
  }
  if (keys !== undefined && keysFile !== undefined) {
    throw misuse('-keys and -keys-file: only one of them can say which keys to ask for');
  }
  if (fill && keys === undefined) throw misuse('-fill: say how many keys by -keys');
  const generated = keys === undefined ? undefined : { keys, valueBytes: values['value-size'] };
  return {
    ...{ address, generated, keysFile, fill, json },
    plan: {
      address,
      shape: {
        command: values.command,
        keysPerRequest: values.multi,
        pipeline: values.pipeline,
        choice: values.choose,
        missShare: values.misses / 100,
      },
      expectation: { valueBytes: generated?.valueBytes },
      connections: values.connections,
      threads: values.threads,
      ratePerSecond: values.rate ?? 0,
      warmUpMs: values.warmup,
      durationMs: values.duration,
      pids: values.pid ?? [],
    },
  };
}

async function keysOf(request: BenchRequest): Promise<KeySource> {
  const { address, generated, keysFile, fill, plan } = request;
  const isRedis = plan.shape.command === 'redis';
  if (keysFile !== undefined) return keysOfFile(keysFile);
  if (generated === undefined) return isRedis ? keysOfRedis(address) : keysOfServer(address);
  if (fill) await (isRedis ? fillRedis : fillServer)(address, generated);
  return { kind: 'generated', keys: generated.keys };
}
