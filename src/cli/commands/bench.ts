import type { Command } from 'commander';
import { type Address, parseAddress } from '../../common/address.ts';
import {
  GENERATED_KEYS_MAX,
  GENERATED_VALUE_BYTES_MAX,
  type GeneratedData,
} from '../../traffic/data-set.ts';
import type { LoadPlan } from '../../traffic/traffic.ts';
import {
  type FlagTable,
  misuse,
  oneOf,
  parseBoolean,
  parseCount,
  parseDuration,
  parseDurationOrZero,
  parseFilePath,
  parseSize,
  parseThreads,
  valuesOf,
} from '../options/values.ts';

/** Connections, requests of a pipeline and keys of a request at most. */
const CONNECTIONS_MAX = 60_000;
const PIPELINE_MAX = 10_000;
const KEYS_PER_REQUEST_MAX = 1_000;

/** What a server was asked to be loaded with; every value is checked. */
export interface BenchOptions {
  readonly address: Address;
  /** All but the keys, which may have to be read first. */
  readonly plan: Omit<LoadPlan, 'source'>;
  /** The generated data set; undefined: the server or a file tells the keys. */
  readonly generated: GeneratedData | undefined;
  readonly keysFile: string | undefined;
  /** Store the generated data set before the load. */
  readonly fill: boolean;
  /** Print the result as one line of JSON. */
  readonly json: boolean;
}

const KEYS = 'Keys';
const REQUESTS = 'Requests';
const LOAD = 'Load';
const RESULT = 'Result';

/** The flags of `goromdb bench`, in the order of the help. */
export const BENCH_FLAGS = {
  keys: {
    placeholder: 'N',
    group: KEYS,
    help: 'ask for the keys key:00000000 to N - 1 of the generated data set, and check values by them',
    parse: (text: string): number => atMost(parseCount(text), GENERATED_KEYS_MAX),
    fallbackNote: 'the server tells its keys',
  },
  'value-size': {
    placeholder: 'SIZE',
    group: KEYS,
    help: 'length of the generated values',
    parse: (text: string): number => atMost(parseSize(text), GENERATED_VALUE_BYTES_MAX),
    fallback: '100B',
  },
  fill: {
    group: KEYS,
    help: 'store the generated data set first, by set, or by MSET with -command redis; for servers that can be written to',
    parse: parseBoolean,
    fallback: 'false',
  },
  'keys-file': {
    placeholder: 'PATH',
    group: KEYS,
    help: 'ask for the keys in this file, one a line',
    parse: parseFilePath,
  },
  choose: {
    placeholder: 'HOW',
    group: KEYS,
    help: 'uniform: each key equally often; zipf: some much more often than others',
    parse: oneOf('uniform', 'zipf'),
    fallback: 'uniform',
  },
  misses: {
    placeholder: 'PERCENT',
    group: KEYS,
    help: 'share of the keys that the server does not have',
    parse: parsePercent,
    fallback: '0',
  },
  command: {
    placeholder: 'NAME',
    group: REQUESTS,
    help: "get; meta: quiet mg commands that end with mn; redis: Redis' GET, or MGET with -multi",
    parse: oneOf('get', 'meta', 'redis'),
    fallback: 'get',
  },
  multi: {
    placeholder: 'N',
    group: REQUESTS,
    help: 'keys in one request',
    parse: (text: string): number => atMost(parseCount(text), KEYS_PER_REQUEST_MAX),
    fallback: '1',
  },
  pipeline: {
    placeholder: 'N',
    group: REQUESTS,
    help: 'requests that a connection sends at once',
    parse: (text: string): number => atMost(parseCount(text), PIPELINE_MAX),
    fallback: '1',
  },
  connections: {
    placeholder: 'N',
    group: LOAD,
    help: 'connections, over all threads',
    parse: (text: string): number => atMost(parseCount(text), CONNECTIONS_MAX),
    fallback: '50',
  },
  threads: {
    placeholder: 'N',
    group: LOAD,
    help: 'threads that load; more when one has its processor busy',
    parse: parseThreads,
    fallback: '1',
  },
  rate: {
    placeholder: 'N',
    group: LOAD,
    help: 'requests a second, sent on time whether replies come or not',
    parse: parseCount,
    fallbackNote: 'each connection asks again when it has its reply',
  },
  warmup: {
    placeholder: 'DURATION',
    group: LOAD,
    help: 'how long to load before measuring',
    parse: parseDurationOrZero,
    fallback: '1s',
  },
  duration: {
    placeholder: 'DURATION',
    group: LOAD,
    help: 'how long to measure',
    parse: parseDuration,
    fallback: '10s',
  },
  pid: {
    placeholder: 'PID',
    group: RESULT,
    help: "also tell the processor time and memory of this process, the server's (Linux)",
    parse: parseCount,
  },
  json: {
    group: RESULT,
    help: 'print the result as one line of JSON',
    parse: parseBoolean,
    fallback: 'false',
  },
} as const satisfies FlagTable;

export const BENCH_NOTES = `
Every reply is counted; one of a thousand is compared byte by byte. The exit code
is 1 when anything was wrong. A fixed rate keeps a processor busy for each thread,
and its latencies count from when a request should have been sent.
`;

/** The options that a parsed command line asks for. */
export function benchOptions(command: Command): BenchOptions {
  if (command.args.length !== 1) {
    const message = `expected one address, as in "goromdb bench 127.0.0.1:11211"; found ${command.args.length}`;
    throw misuse(message);
  }
  const flags = valuesOf(command, BENCH_FLAGS);
  const address = parseAddress(command.args[0]);
  if (flags.connections < flags.threads) {
    throw misuse('-connections: each thread needs one; use more connections or fewer -threads');
  }
  if (flags.keys !== undefined && flags['keys-file'] !== undefined) {
    throw misuse('-keys and -keys-file: only one of them can say which keys to ask for');
  }
  if (flags.fill && flags.keys === undefined) throw misuse('-fill: say how many keys by -keys');
  const generated =
    flags.keys === undefined ? undefined : { keys: flags.keys, valueBytes: flags['value-size'] };
  return {
    address,
    generated,
    keysFile: flags['keys-file'],
    fill: flags.fill,
    json: flags.json,
    plan: {
      address,
      shape: {
        command: flags.command,
        keysPerRequest: flags.multi,
        pipeline: flags.pipeline,
        choice: flags.choose,
        missShare: flags.misses / 100,
      },
      expectation: { valueBytes: generated?.valueBytes },
      connections: flags.connections,
      threads: flags.threads,
      ratePerSecond: flags.rate ?? 0,
      warmUpMs: flags.warmup,
      durationMs: flags.duration,
      pid: flags.pid,
    },
  };
}

function atMost(value: number, limit: number): number {
  if (value <= limit) return value;
  throw misuse(`${value} is too much: expected at most ${limit}`);
}

function parsePercent(text: string): number {
  const percent = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (percent <= 100) return percent;
  throw misuse(`${JSON.stringify(text)} is not allowed; expected a number from 0 to 100`);
}
