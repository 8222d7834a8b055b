import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PrefixedDataSet, ServerOptions, ServerPlan } from '../../src/app/options.ts';
import { COMMANDS } from '../../src/cli/commands/commands.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { STORAGE_NAMES } from '../../src/storage/formats/formats.ts';
import type { FieldOptions } from '../../src/storage/scanners/scanner.ts';
import { parseCommandLine } from '../support/parse-command-line.ts';

/** What a command line asks for, without what would do it. */
type Asked =
  | { readonly kind: string; readonly request: unknown }
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'usage-error'; readonly message: string };

function parse(...argv: string[]): Asked {
  const invocation = parseCommandLine(argv, '1.2.3');
  if (invocation.kind !== 'task') return invocation;
  const { command, request } = invocation.task;
  return { kind: command, request };
}

const FILE = resolve('data.json');
const SERVER: ServerOptions & Pick<ServerPlan, 'log'> = {
  address: { kind: 'tcp', host: undefined, port: 11211 },
  protocol: 'memcached',
  threads: 1,
  limits: DEFAULT_LIMITS,
  access: {},
  loudRefusals: false,
  allowShutdown: false,
  log: { format: 'human', level: 'info' },
};
const DATA_SET: PrefixedDataSet = {
  storage: 'auto',
  file: FILE,
  gzipped: false,
  bucket: undefined,
  fields: undefined,
  namespaces: undefined,
  scrub: { bytesPerSecond: 8 * 1024 * 1024 },
  keepPrevious: 'disk',
  pollIntervalMs: 0,
  rescanMs: 5000,
};
type Options = Partial<ServerOptions & PrefixedDataSet>;

/** Flags make a plan with one data set, without a prefix. */
function serve(options: Options = {}): Asked {
  const isOfServer = ([name]: [string, unknown]): boolean => Object.hasOwn(SERVER, name);
  const entries = Object.entries(options);
  const server = Object.fromEntries(entries.filter(isOfServer));
  const dataSet = Object.fromEntries(entries.filter((entry) => !isOfServer(entry)));
  const plan = { ...SERVER, ...server, dataSets: [{ ...DATA_SET, ...dataSet }] };
  return { kind: 'server', request: { plan } };
}
const wrong = (message: string, command = 'goromdb'): Asked => ({
  kind: 'usage-error',
  message: `goromdb: ${message}\nRun '${command} -help' for all flags.`,
});

/** Every way to write a flag and its value. */
const SPELLINGS: readonly [string, (name: string, value: string) => string[]][] = [
  ['-flag X', (name, value) => [`-${name}`, value]],
  ['-flag=X', (name, value) => [`-${name}=${value}`]],
  ['--flag X', (name, value) => [`--${name}`, value]],
  ['--flag=X', (name, value) => [`--${name}=${value}`]],
];

const MAX = Number.POSITIVE_INFINITY;

describe('the server command', () => {
  it('needs a file only', () => {
    expect(parse('-file', 'data.json')).toEqual(serve());
    expect(parse()).toEqual(
      wrong('-file is required: the path of the file to wait for, such as -file data.json'),
    );
  });

  it('may be named', () => {
    expect(parse('server', '-file', 'data.json')).toEqual(serve());
  });

  describe.each(SPELLINGS)('with flags spelled %s', (_, spell) => {
    it.each<[string, string, Options]>([
      ['addr', ':0', { address: { kind: 'tcp', host: undefined, port: 0 } }],
      ['addr', '[::1]:11212', { address: { kind: 'tcp', host: '::1', port: 11212 } }],
      ['addr', '/run/g.sock', { address: { kind: 'unix', path: '/run/g.sock' } }],
      ['proto', 'memcached', { protocol: 'memcached' }],
      ['handler', 'simple', {}],
      ['storage', 'json', { storage: 'json' }],
      ['storage', 'lmdb', { storage: 'lmdb' }],
      ['file', '/srv/d', { file: '/srv/d' }],
      ['file', 'sub/a=b', { file: resolve('sub/a=b') }],
      ['file', '-x', { file: resolve('-x') }],
      ['file', '-gzipped', { file: resolve('-gzipped') }],
      ['file', '--version', { file: resolve('--version') }],
      ['file', '--', { file: resolve('--') }],
      ['file', 'build', { file: resolve('build') }],
      ['basedir', '/var/lib/goromdb', { basedir: '/var/lib/goromdb' }],
      ['basedir', 'kept/', { basedir: resolve('kept') }],
      ['threads', '1', { threads: 1 }],
      ['threads', '64', { threads: 64 }],
      ['poll-interval', '0', { pollIntervalMs: 0 }],
      ['poll-interval', '0s', { pollIntervalMs: 0 }],
      ['poll-interval', '2s', { pollIntervalMs: 2000 }],
      ['rescan', '1ms', { rescanMs: 1 }],
      ['rescan', '250ms', { rescanMs: 250 }],
      ['rescan', '1m30s', { rescanMs: 90_000 }],
      ['rescan', '1.5s', { rescanMs: 1500 }],
      ['rescan', '2000us500000ns', { rescanMs: 3 }],
      ['rescan', '3000\u00b5s', { rescanMs: 3 }],
      ['rescan', '24h', { rescanMs: 86_400_000 }],
    ])('takes -%s %s', (name, value, options) => {
      const file = name === 'file' ? [] : ['-file', 'data.json'];
      expect(parse(...spell(name, value), ...file)).toEqual(serve(options));
      expect(parse(...file, ...spell(name, value))).toEqual(serve(options));
    });

    it.each([
      ['1073741824', 1_073_741_824],
      ['12B', 12],
      ['3kB', 3000],
      ['3mb', 3_000_000],
      ['1.5GB', 1_500_000_000],
      ['2KiB', 2048],
      ['512MiB', 536_870_912],
      ['2gib', 2_147_483_648],
      ['1TiB', 1_099_511_627_776],
      ['0.3KiB', 307],
      ['max', MAX],
    ])('takes a size of %s', (value, bufferedBytesMax) => {
      const argv = [...spell('buffer-limit', value), '-conn-buffer-limit', '1'];
      const limits = { ...DEFAULT_LIMITS, bufferedBytesMax, connectionBufferedBytesMax: 1 };
      expect(parse(...argv, '-file', 'data.json')).toEqual(serve({ limits }));
    });

    it('takes -bucket', () => {
      const argv = ['-storage', 'lmdb', ...spell('bucket', '-users'), '-file', 'data.json'];
      expect(parse(...argv)).toEqual(serve({ storage: 'lmdb', bucket: '-users' }));
    });
  });

  it('takes a path of buckets, a name at a time', () => {
    const argv = ['-bucket', 'a/b', '-bucket=c', '-file', 'data.json'];
    expect(parse(...argv)).toEqual(serve({ bucket: ['a/b', 'c'] }));
    const bolt = parse(...argv, '-storage', 'boltdb');
    expect(bolt).toEqual(serve({ bucket: ['a/b', 'c'], storage: 'boltdb' }));
  });

  it('takes the names of the fields of JSON Lines', () => {
    const fields = (given: Partial<FieldOptions>): Asked =>
      serve({ fields: { key: 'key', value: 'value', ignoreOthers: false, ...given } });
    const file = ['-file', 'data.json'];
    expect(parse('-jsonl-key', 'id', ...file)).toEqual(fields({ key: 'id' }));
    expect(parse('-jsonl-value=x', ...file)).toEqual(fields({ value: 'x' }));
    expect(parse('-jsonl-ignore', ...file)).toEqual(fields({ ignoreOthers: true }));
    expect(parse('-jsonl-ignore=false', ...file)).toEqual(serve());
    expect(parse('-jsonl-key', 'value', '-jsonl-value', 'key', ...file)).toEqual(
      fields({ key: 'value', value: 'key' }),
    );
  });

  it('takes -namespaces, with a delimiter or that of memcached', () => {
    const namespaced = (delimiter: string): Asked => serve({ namespaces: { delimiter } });
    expect(parse('-namespaces', '-file', 'data.json')).toEqual(namespaced(':'));
    expect(parse('-namespaces=true', '-D', '/', '-file', 'data.json')).toEqual(namespaced('/'));
    expect(parse('--D=::', '--namespaces', '-file', 'data.json')).toEqual(namespaced('::'));
    expect(parse('-namespaces=false', '-file', 'data.json')).toEqual(serve());
  });

  it.each([
    [['-D', '/'], '-D: it is the delimiter of -namespaces; give both'],
    [['-namespaces', '-D', ''], '-D: "" is not allowed; expected a name'],
    [
      ['-namespaces', '-D', 'a b'],
      '-D: expected 1 to 16 bytes without spaces and control characters, found "a b"',
    ],
    [
      ['-namespaces', '-bucket', 'users'],
      '-bucket serves one and -namespaces serves all: give one of them',
    ],
    [
      ['-namespaces', '-storage', 'memcachedb-bdb'],
      '-namespaces: MemcacheDB keeps one database without name; -storage is memcachedb-bdb',
    ],
    [['-namespaces', '-storage', 'jsonl'], '-namespaces: JSON Lines have none; -storage is jsonl'],
    [['-bucket', 'users', '-storage', 'jsonl'], '-bucket: jsonl has no buckets'],
    [
      ['-bucket', 'a', '-bucket', 'b', '-storage', 'lmdb'],
      '-bucket: only BoltDB has buckets inside of buckets, and -storage is lmdb: give it once',
    ],
    [
      ['-jsonl-key', 'id', '-storage', 'json'],
      '-jsonl-key, -jsonl-value and -jsonl-ignore are for JSON Lines; -storage is json',
    ],
    [
      ['-jsonl-ignore', '-bucket', 'a'],
      '-bucket: JSON Lines have none, which -jsonl-key, -jsonl-value and -jsonl-ignore are for',
    ],
    [
      ['-jsonl-ignore', '-namespaces'],
      '-namespaces: JSON Lines have none, which -jsonl-key, -jsonl-value and -jsonl-ignore are for',
    ],
    [
      ['-jsonl-key', 'value'],
      '-jsonl-key, -jsonl-value: expected two fields, found "value" for both',
    ],
    [
      ['-jsonl-value', 'x'.repeat(257)],
      '-jsonl-key, -jsonl-value: expected names of 1 to 256 bytes',
    ],
  ])('refuses %j', (flags, message) => {
    expect(parse(...flags, '-file', 'data.json')).toEqual(wrong(message));
  });

  it.each([
    ['-gzipped', true],
    ['--gzipped', true],
    ...['1', 't', 'T', 'true', 'TRUE', 'True'].flatMap((word) => [
      [`-gzipped=${word}`, true] as const,
      [`--gzipped=${word}`, true] as const,
    ]),
    ...['0', 'f', 'F', 'false', 'FALSE', 'False'].flatMap((word) => [
      [`-gzipped=${word}`, false] as const,
      [`--gzipped=${word}`, false] as const,
    ]),
  ] as const)('reads %s as %s', (flag, gzipped) => {
    expect(parse(flag, '-file', 'data.json')).toEqual(serve({ gzipped }));
    expect(parse('-file', 'data.json', flag)).toEqual(serve({ gzipped }));
  });

  it('takes the last of a flag given twice', () => {
    const argv = ['-threads=2', '-gzipped', '-threads', '3', '-gzipped=false', '-file=data.json'];
    expect(parse(...argv)).toEqual(serve({ threads: 3 }));
  });

  it('takes nothing after -- for a flag', () => {
    expect(parse('-file', 'data.json', '--')).toEqual(serve());
    const message = '"-threads" is not expected: there are only flags here';
    expect(parse('-file', 'data.json', '--', '-threads')).toEqual(wrong(message));
    expect(parse('--', '-threads')).toEqual(wrong(message));
    expect(parse('--', '-version')).toEqual(wrong(message.replace('-threads', '-version')));
  });
});

const DURATIONS = 'a duration from 1ms to 24h such as "250ms", "5s" or "1m30s"';
const SIZES =
  '"max" or a size such as "512MiB", "1.5GB" or "1073741824" (units: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)';
const withUnits = (n: string): string =>
  `a unit behind the number, as in "${n}s" (seconds) or "${n}ms" (milliseconds), up to 24h`;
const USE_ADDR = 'use -addr ADDRESS, such as -addr 127.0.0.1:11211 or -addr :11211';
const STORAGES = STORAGE_NAMES.join(' or ');
const PROTOCOLS = 'memcached or text or binary or redis';
const THREADS = 'a whole number from 1 to 64';
const BOOLEANS = 'true, false, t, f, 1 or 0';

describe('limits and access', () => {
  it.each(SPELLINGS)('take their flags spelled %s', (_, spell) => {
    const limits = {
      connectionsMax: 12,
      idleTimeoutMs: 60_000,
      stallTimeoutMs: 1_000,
      staleTimeoutMs: 2_000,
      drainTimeoutMs: 3_000,
      bufferedBytesMax: 8192,
      connectionBufferedBytesMax: 4096,
      lineBytesMax: 3000,
      keysMax: 7,
    };
    const flags = [
      ...spell('conn-limit', '12'),
      ...spell('idle-timeout', '1m'),
      ...spell('stall-timeout', '1s'),
      ...spell('stale-timeout', '2s'),
      ...spell('drain-timeout', '3s'),
      ...spell('buffer-limit', '8KiB'),
      ...spell('conn-buffer-limit', '4KiB'),
      ...spell('line-limit', '3kB'),
      ...spell('keys-limit', '7'),
    ];
    expect(parse('-file', 'data.json', ...flags)).toEqual(serve({ limits }));
  });

  it('take who may connect, and how', () => {
    const access = {
      allow: ['10.0.0.0/8', '::1'],
      userFile: resolve('users'),
      tls: { certFile: resolve('c'), keyFile: resolve('k'), clientCaFile: resolve('ca') },
    };
    const tls = ['-tls-cert', 'c', '-tls-key', 'k', '-tls-client-ca', 'ca'];
    const others = ['-allow', '10.0.0.0/8, ::1', '-auth-file', 'users'];
    expect(parse('-file', 'data.json', ...tls, ...others)).toEqual(serve({ access }));
  });

  it('take what to say to writers, and whether clients may end the server', () => {
    const flags = ['-loud-refusals', '-enable-shutdown=true'];
    const options = { loudRefusals: true, allowShutdown: true };
    expect(parse('-file', 'data.json', ...flags)).toEqual(serve(options));
  });

  it('take a UNIX socket in place of an address', () => {
    const address = { kind: 'unix', path: resolve('run/sock') } as const;
    expect(parse('-file', 'data.json', '-s', 'run/sock')).toEqual(serve({ address }));
    const access = { unixMode: 0o770 };
    const withMode = parse('-file', 'data.json', '-s', 'run/sock', '-unix-mode', '770');
    expect(withMode).toEqual(serve({ address, access }));
  });

  it.each([
    [
      ['-conn-limit', '0'],
      '-conn-limit: "0" is not allowed; expected a whole number from 1 to 999999999',
    ],
    [
      ['-unix-mode', '0999'],
      '-unix-mode: "0999" is not allowed; expected three octal digits, such as 0770',
    ],
    [['-tls-cert', 'c'], '-tls-cert and -tls-key belong together: give both or none'],
    [['-tls-key', 'k'], '-tls-cert and -tls-key belong together: give both or none'],
    [['-tls-client-ca', 'ca'], '-tls-client-ca: it needs -tls-cert and -tls-key'],
    [
      ['-line-limit', '2047'],
      '-line-limit: "2047" is not allowed; expected a size of at least 2048 bytes, such as "1MiB"',
    ],
    ...['10.0.0.0/33', '10.0.0', 'fd00::/129', '1.2.3.4/', '1.2.3.4/8/8', ''].map((entry) => [
      ['-allow', entry],
      `-allow: "${entry}" is not allowed in the list of addresses; expected one such as 10.1.2.3, 10.0.0.0/8 or fd00::/8`,
    ]),
  ] as [string[], string][])('%j are refused with a reason', (argv, message) => {
    expect(parse('-file', 'data.json', ...argv)).toEqual(wrong(message));
  });
});

describe('flags that would do nothing beside others', () => {
  it.each<[string[], string]>([
    [['-s', '/g', '-addr', ':1'], '-s and -addr both say where to listen: give one of them'],
    [
      ['-s', '/g', '-allow', '::1'],
      '-allow: unix:/g is a UNIX socket, which has no addresses; its mode says who may connect (-unix-mode)',
    ],
    [
      ['-addr', '/g', '-allow', '::1'],
      '-allow: unix:/g is a UNIX socket, which has no addresses; its mode says who may connect (-unix-mode)',
    ],
    [
      ['-unix-mode', '0700'],
      '-unix-mode: only a UNIX socket has a mode, and :11211 is none; -allow says who may connect there',
    ],
    [
      ['-auth-file', 'users', '-proto', 'binary'],
      "-auth-file: it does nothing with -proto binary: memcached's binary protocol has no login here",
    ],
    [
      ['-loud-refusals', '-proto', 'redis'],
      '-loud-refusals: it does nothing with -proto redis: Redis has no other refusals',
    ],
    [
      ['-enable-shutdown', '-proto', 'binary'],
      "-enable-shutdown: it does nothing with -proto binary: only memcached's text protocol has the command",
    ],
    [
      ['-line-limit', '4KiB', '-proto', 'redis'],
      "-line-limit: it does nothing with -proto redis: only memcached's text protocol has such lines",
    ],
    [
      ['-keys-limit', '4', '-proto', 'binary'],
      '-keys-limit: it does nothing with -proto binary: a binary request has one key',
    ],
    [
      ['-line-limit', '32MiB'],
      '-line-limit: a line of that length would be more than -conn-buffer-limit allows',
    ],
    [
      ['-line-limit', '4KiB', '-buffer-limit', '3KiB'],
      '-line-limit: a line of that length would be more than -buffer-limit allows',
    ],
  ])('%j are refused, and named', (argv, message) => {
    expect(parse('-file', 'data.json', ...argv)).toEqual(wrong(message));
  });
});

describe('a wrong value', () => {
  const cases: [name: string, value: string, expected: string][] = [
    ['proto', 'http', PROTOCOLS],
    ['proto', '', PROTOCOLS],
    ['handler', 'complex', 'simple'],
    ['storage', 'bolt', STORAGES],
    ['storage', 'JSON', STORAGES],
    ['file', '', 'the path of a file'],
    ['file', '/srv/', 'the path of a file'],
    ['bucket', '', 'a name'],
    ['basedir', '', 'the path of a folder'],
    ...['zero', '0', '65', '-1', '1.5', '', ' 1', '1e1'].map((value): [string, string, string] => [
      'threads',
      value,
      THREADS,
    ]),
    ...['', 'lots', '1.5', '-1MB', '1 GB', '1PB', '1constructor', 'MB', '9007199254740992'].map(
      (value): [string, string, string] => ['buffer-limit', value, SIZES],
    ),
    ['buffer-limit', '1G', '1GiB (powers of 1024) or 1GB (powers of 1000)'],
    ['scrub-rate', '1.5m', '1.5MiB (powers of 1024) or 1.5MB (powers of 1000)'],
    ['line-limit', '64K', '64KiB (powers of 1024) or 64kB (powers of 1000)'],
    ['rescan', '5', withUnits('5')],
    ['poll-interval', '2.5', withUnits('2.5')],
    ['idle-timeout', '300', withUnits('300')],
    ...['', '0', '-5s', '5 s', '5S', '1d', '25h', '0s', '100us', '.5s', '5s3'].map(
      (value): [string, string, string] => ['rescan', value, DURATIONS],
    ),
    ...['', '-1s', '1ns', '24h1ms'].map((value): [string, string, string] => [
      'poll-interval',
      value,
      `0 or ${DURATIONS}`,
    ]),
  ];

  it.each(cases)('of -%s, %j, is named with what is allowed', (name, value, expected) => {
    const message = `-${name}: ${JSON.stringify(value)} is not allowed; expected ${expected}`;
    for (const [, spell] of SPELLINGS) {
      expect(parse('-file', 'data.json', ...spell(name, value))).toEqual(wrong(message));
    }
  });

  it.each(['', 'yes', 'tRUE', '2'])('of -gzipped, %j, is named with what is allowed', (value) => {
    const message = `-gzipped: ${JSON.stringify(value)} is not allowed; expected ${BOOLEANS}`;
    expect(parse('-file', 'data.json', `-gzipped=${value}`)).toEqual(wrong(message));
    expect(parse('-file', 'data.json', `--gzipped=${value}`)).toEqual(wrong(message));
  });

  it('of -addr says what is wrong with the address', () => {
    const message =
      '-addr: "11211" is not allowed: the port is missing; expected ":11211", "127.0.0.1:11211", "[::1]:11211", "localhost:11211" or a UNIX socket path';
    expect(parse('-file', 'data.json', '-addr', '11211')).toEqual(wrong(message));
    expect(parse('serve', '-addr', '11211')).toEqual(wrong(message, 'goromdb serve'));
  });

  it('is what follows a flag, even if it is a flag, as in Go', () => {
    const message = `-threads: "-gzipped" is not allowed; expected ${THREADS}`;
    expect(parse('-file', 'data.json', '-threads', '-gzipped')).toEqual(wrong(message));
  });
});

describe('a wrong command line', () => {
  it.each([
    ['addr', 'ADDRESS'],
    ['proto', 'NAME'],
    ['handler', 'NAME'],
    ['storage', 'FORMAT'],
    ['file', 'PATH'],
    ['bucket', 'NAME'],
    ['jsonl-key', 'FIELD'],
    ['basedir', 'DIR'],
    ['threads', 'N'],
    ['buffer-limit', 'SIZE'],
    ['poll-interval', 'DURATION'],
    ['rescan', 'DURATION'],
  ])('names -%s when its value is missing', (name, placeholder) => {
    const message = `-${name}: the value is missing; use -${name} ${placeholder}`;
    expect(parse(`-${name}`)).toEqual(wrong(message));
    expect(parse('-gzipped', `--${name}`)).toEqual(wrong(message));
  });

  it.each([
    [['-stroage', 'lmdb'], 'unknown flag -stroage; did you mean -storage?'],
    [['--stroage=lmdb'], 'unknown flag -stroage; did you mean -storage?'],
    [['-fiel', 'data.json'], 'unknown flag -fiel; did you mean -file?'],
    [['-file', 'data.json', '-gziped'], 'unknown flag -gziped; did you mean -gzipped?'],
    [['-verson'], 'unknown flag -verson; did you mean -version?'],
    [['-port', '11211'], `unknown flag -port; ${USE_ADDR}`],
    [['--port=11211'], `unknown flag -port; ${USE_ADDR}`],
    [['-p', '11211'], `unknown flag -p; ${USE_ADDR}`],
    [['-t', '4'], 'unknown flag -t; use -threads N'],
    [['-B', 'ascii'], 'unknown flag -B; use -proto NAME'],
    [['-Y', 'users'], 'unknown flag -Y; use -auth-file PATH'],
    [['--dir', '/srv'], 'unknown flag -dir; use -basedir DIR'],
    [['-v'], 'unknown flag -v; use -version'],
    [['---file', 'data.json'], 'unknown flag ---file; did you mean -file?'],
    [['-m', '1024'], 'unknown flag -m; there is no limit on memory: the data is in the page cache'],
    [['-U', '0'], 'unknown flag -U; there is no UDP'],
    [['-f', 'data.json'], 'unknown flag -f'],
    [["-it's"], "unknown flag -it's"],
    [['-5'], 'unknown flag -5'],
    [['-=x'], 'unknown flag -=x'],
    [['--__proto__=x'], 'unknown flag -__proto__'],
    [['-no-gzipped'], 'unknown flag -no-gzipped; did you mean -gzipped?'],
    [['help', 'sreve'], 'unknown command "sreve"; did you mean serve?'],
    [['sreve', '--help'], 'unknown command "sreve"; did you mean serve?'],
    [['sreve'], 'unknown command "sreve"; did you mean serve?'],
    [['data.json'], 'unknown command "data.json"; to serve a file: goromdb serve FILE'],
    [[''], 'unknown command ""; to serve a file: goromdb serve FILE'],
    [['-version=x'], '-version takes no value, and =x was given'],
    [['-file', 'a', 'b'], '"b" is not expected: there are only flags here'],
    [['-file', 'a', 'build'], '"build" is not expected: there are only flags here'],
    [['-file', 'a', '-'], '"-" is not expected: there are only flags here'],
    [
      ['-gzipped', 'false', '-file', 'a'],
      '"false" is not expected: there are only flags here; a boolean needs "=", as in -gzipped=false',
    ],
    [['-file', 'a', '-storage', 'json', '-bucket', 'b'], '-bucket: json has no buckets'],
  ])('%j is refused with a reason', (argv, message) => {
    expect(parse(...argv)).toEqual(wrong(message));
  });
});

describe('the serve command', () => {
  const requestOf = (...argv: string[]): { readonly data: unknown; readonly server: object } => {
    const asked = parse('serve', ...argv);
    if (!('request' in asked)) throw new Error(JSON.stringify(asked));
    return asked.request as ReturnType<typeof requestOf>;
  };

  it('listens for this machine only by default, and takes the flags of the server', () => {
    const address = { kind: 'tcp', host: '127.0.0.1', port: 11211 };
    expect(requestOf()).toMatchObject({ data: undefined, server: { address } });
    expect(requestOf('a.json', '-threads', '2')).toMatchObject({ server: { threads: 2 } });
  });

  it('leaves one file as it is, and builds a table of rows, of several files and of standard input', () => {
    expect(requestOf('a.json').data).toEqual({ inputs: ['a.json'], rows: undefined });
    for (const argv of [['a.csv', '-key', 'id'], ['a', 'b'], ['-'], ['a', '-prefix', 'x:']]) {
      expect(requestOf(...argv).data).toMatchObject({ rows: { skipBad: 0 } });
    }
  });

  it.each([
    [['-file', 'a'], 'unknown flag -file; it is a flag of the server: goromdb without a command'],
    [['-U', '0'], 'unknown flag -U; there is no UDP'],
    [['a.csv', '-value', 'v'], '-value is for rows: give -key, too'],
    [['-', '-'], '- is standard input, which can be read once'],
    [[''], 'expected a FILE, found none'],
    [
      ['a.csv', '-key', 'id', '-bucket', 'b'],
      '-bucket is for one file that is served as it is, without -key',
    ],
  ])('refuses %j', (argv, message) => {
    expect(parse('serve', ...argv)).toEqual(wrong(message, 'goromdb serve'));
  });
});

describe('the commands that look after a base folder', () => {
  const basedir = resolve('base');

  it.each(['rollback', 'status'] as const)('%s needs a base folder', (kind) => {
    expect(parse(kind, '-basedir', 'base')).toEqual({ kind, request: { basedir, json: false } });
    expect(parse(kind, '--json', '-basedir=base')).toEqual({
      kind,
      request: { basedir, json: true },
    });
    const message = /-basedir is required: the base folder of the server/;
    const usageError = { kind: 'usage-error', message: expect.stringMatching(message) };
    expect(parse(kind)).toMatchObject(usageError);
    expect(parse(kind, '-basedir', 'base', 'x')).toMatchObject({ kind: 'usage-error' });
  });

  it('status takes a server elsewhere instead', () => {
    const { place } = (parse('status', '127.0.0.1:11211', '-json') as { request: object })
      .request as { place: unknown };
    expect(place).toEqual({ kind: 'tcp', host: '127.0.0.1', port: 11211 });
    expect(parse('status', 'https://example.com')).toMatchObject({
      request: { place: new URL('https://example.com'), json: false },
    });
    for (const args of [['a:1', 'b:2'], ['nowhere'], ['ftp://a'], [tmpdir()]]) {
      expect(parse('status', ...args), args.join()).toMatchObject({ kind: 'usage-error' });
    }
  });

  it('publish takes the file and where to drop it', () => {
    const data = { inputs: ['new'], rows: undefined };
    const options = {
      data,
      force: false,
      basedir: undefined,
      json: false,
      urls: [],
      timeoutMs: 600_000,
    };
    const drops = [resolve('drop')];
    const asked = (request: object): Asked => ({ kind: 'publish', request });
    expect(parse('publish', 'new', 'drop')).toEqual(asked({ ...options, drops }));
    expect(parse('publish', '-timeout', '0', 'new', '-force', 'drop')).toEqual(
      asked({ ...options, drops, timeoutMs: 0, force: true }),
    );
    expect(parse('publish', 'new', 'drop', 'b/drop')).toEqual(
      asked({ ...options, drops: [...drops, resolve('b/drop')] }),
    );
    for (const argv of [
      ['-', 'drop'],
      ['a.csv', '-key', 'id', 'drop'],
      ['*.csv', 'drop'],
    ]) {
      expect(parse('publish', ...argv)).toMatchObject({ request: { data: { rows: {} } } });
    }
    const urls = ['http://a:1', 'http://b:2', 'https://c'].map((text) => new URL(text));
    const all = ['-expect-all', 'http://a:1,http://b:2', '-expect-all', 'https://c'];
    expect(parse('publish', 'new', 'drop', ...all)).toMatchObject({ request: { urls } });
    for (const more of [
      ['-expect-all', 'a:1'],
      [...all, '-timeout', '0'],
    ]) {
      expect(parse('publish', 'new', 'drop', ...more)).toMatchObject({ kind: 'usage-error' });
    }
    const message = "expected FILE, and DROP, which is the server's -file; found";
    for (const [argv, why] of [
      [[], `${message} 0 arguments`],
      [['new'], `${message} 1 argument`],
      [['new', 'drop', './drop'], 'expected each DROP once'],
      [['new', 'a', 'b', '-basedir', 'c'], '-basedir is for one DROP'],
    ] as const) {
      expect(parse('publish', ...argv)).toEqual(wrong(why, 'goromdb publish'));
    }
  });
});

describe('help and version', () => {
  const textOf = (...argv: string[]): string => {
    const invocation = parse(...argv);
    if (!('text' in invocation)) throw new Error(`printed nothing: ${invocation.kind}`);
    return invocation.text;
  };

  it.each(['-version', '--version'])('%s prints the version', (flag) => {
    expect(textOf(flag)).toBe('goromdb 1.2.3');
    expect(textOf('build', flag)).toBe('goromdb 1.2.3');
    expect(textOf('version')).toBe('goromdb 1.2.3');
    expect(textOf('-file', 'data.json', flag)).toBe('goromdb 1.2.3');
  });

  it.each(['-h', '-help', '--help', '--h', 'help'])('%s shows the help of the server', (flag) => {
    expect(textOf(flag)).toMatch(/^Usage: goromdb -file PATH \[flags]\n/);
    expect(textOf(flag)).toBe(textOf('server', '-help'));
  });

  it('shows the help of a command', () => {
    expect(textOf('serve', '-h')).toMatch(/^Usage: goromdb serve \[flags] \[FILE\.\.\.]\n/);
    expect(textOf('help', 'serve')).toBe(textOf('serve', '--help'));
  });

  it('shows every flag in the spelling of Go, its default, and every other command', () => {
    const words = textOf('-help').replace(/\s+/g, ' ');
    for (const part of [
      '-addr ADDRESS where to listen',
      '(default: :11211)',
      '-proto NAME',
      '(default: memcached)',
      '-handler NAME',
      '(default: simple)',
      '-storage FORMAT',
      '(default: auto)',
      '-file PATH the file to wait for and to serve (required, unless -config is given)',
      '-gzipped reject a file that is not compressed',
      '-bucket NAME',
      '(default: the unnamed database, or the only bucket)',
      '-basedir DIR',
      '(default: the folder of -file)',
      '-threads N',
      '(default: 1)',
      '-poll-interval DURATION',
      '(default: 0)',
      '-rescan DURATION',
      '(default: 5s)',
      '-version print',
      '-help print',
      'Commands: serve Serves local files',
      'check-config Checks a configuration file',
      'MD5 as PATH.md5',
    ]) {
      expect(words).toContain(part);
    }
  });

  it('can be read in 80 columns, whatever the terminal', () => {
    for (const command of COMMANDS.map(({ name }) => name)) {
      const text = textOf(command, '-help');
      expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
      expect(text).not.toMatch(/\s$|--addr|undefined/);
    }
  });
});

describe('the guards of the command line', () => {
  it('are taken as given, canaries several times', () => {
    const flags = ['-min-keys', '10', '-max-shrink', '2.5', '-max-hit-drop=1%'];
    const canaries = ['-canary', 'a', '-canary', 'b=', '-canary=c=d=e'];
    const canary = (key: string, value?: string) => ({
      key: Buffer.from(key),
      value: value === undefined ? undefined : Buffer.from(value),
    });
    expect(parse('-file', 'data.json', ...flags, ...canaries)).toEqual(
      serve({
        guards: {
          minKeys: 10,
          maxShrinkPercent: 2.5,
          canaries: [canary('a'), canary('b', ''), canary('c', 'd=e')],
          maxHitDropPercent: 1,
        },
      }),
    );
  });

  it.each([
    ['-min-keys', '-1', 'a whole number from 0 on'],
    ['-max-shrink', '101', 'a percentage from 0 to 100, such as 5 or 2.5'],
    ['-max-hit-drop', 'x', 'a percentage from 0 to 100, such as 5 or 2.5'],
    ['-canary', '=x', 'KEY or KEY=VALUE, with a key of 1 to 65535 bytes'],
  ])('refuse %s %s', (flag, value, expected) => {
    expect(parse('-file', 'data.json', flag, value)).toEqual(
      wrong(`${flag}: ${JSON.stringify(value)} is not allowed; expected ${expected}`),
    );
  });
});
