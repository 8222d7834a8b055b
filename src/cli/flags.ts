import { dirname } from 'node:path';
import { Command, CommanderError, type HelpConfiguration, Option } from 'commander';
import { messageOf } from '../errors.ts';
import { type Address, parseAddress } from '../server/address.ts';
import { THREADS_MAX } from '../server/threads.ts';
import {
  addFlags,
  type FlagTable,
  goSpelling,
  misuse,
  oneOf,
  parseBoolean,
  parseDuration,
  parseDurationOrZero,
  parseFilePath,
  parseFolderPath,
  parseName,
  parseSize,
  parseThreads,
  toGnuSpelling,
  valuesOf,
} from './go-flags.ts';

/** What the server was asked to do; every value is checked, every path absolute. */
export interface ServeOptions {
  readonly address: Address;
  readonly protocol: 'memcached';
  readonly handler: 'simple';
  readonly storage: 'json' | 'lmdb';
  /** The file to wait for. */
  readonly file: string;
  readonly gzipped: boolean;
  /** The named database inside the file; `undefined`: the unnamed one. */
  readonly bucket: string | undefined;
  /** The folder that keeps what is served. */
  readonly basedir: string;
  readonly threads: number;
  /** `Infinity`: no limit; `undefined`: the program takes a share of what the machine has. */
  readonly memoryBytes: number | undefined;
  /** 0: trust the events of the file system instead of polling. */
  readonly pollIntervalMs: number;
  readonly rescanMs: number;
}

/** What a command line asks for. Texts end without a newline. */
export type Invocation =
  | { readonly kind: 'serve'; readonly options: ServeOptions }
  | { readonly kind: 'demo'; readonly address: Address }
  /** Help or version, for standard output. */
  | { readonly kind: 'print'; readonly text: string; readonly exitCode: 0 }
  /** For standard error. */
  | { readonly kind: 'usage-error'; readonly message: string; readonly exitCode: 2 };

/** Adds one command to the program; its action hands what was asked for to `accept`. */
type AddCommand = (program: Command, accept: (invocation: Invocation) => void) => void;

/** The command that runs when none is named. */
const DEFAULT_COMMAND = 'serve';
const COMMANDS: readonly AddCommand[] = [addServe, addDemo];
const HELP_COLUMNS = 80;

/**
 * Reads a command line, in Go's spelling of flags (`-addr X`) or GNU's (`--addr X`). Never throws,
 * prints or exits: the answer says what to do.
 *
 * @param argv The arguments, without those of node and the script.
 * @param version What `-version` tells.
 */
export function parseCommandLine(argv: readonly string[], version: string): Invocation {
  let printed = '';
  let invocation: Invocation | undefined;
  const program = createProgram((text) => {
    printed += text;
  });
  for (const add of COMMANDS) {
    add(program, (accepted) => {
      invocation = accepted;
    });
  }
  addCommonFlags(program, version);

  const [name, ...args] = commandFirst(argv);
  const command = program.commands.find((candidate) => candidate.name() === name);
  try {
    program.parse([name, ...toGnuSpelling(args, command?.options ?? [])], { from: 'user' });
    return invocation ?? usageError(command, `nothing is done by ${JSON.stringify(name)}`);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) {
      return { kind: 'print', text: printed.trimEnd(), exitCode: 0 };
    }
    return usageError(command, explain(error));
  }
}

/** The arguments with the name of their command in front; `help demo` is `demo -help`. */
function commandFirst(argv: readonly string[]): readonly string[] {
  if (argv[0] === 'help') return commandFirst([...argv.slice(1), '-help']);
  return argv.length > 0 && !argv[0].startsWith('-') ? argv : [DEFAULT_COMMAND, ...argv];
}

const LISTENING = 'Listening';
const DATA = 'Data';
const RESOURCES = 'Memory and threads';
const WATCHING = 'Watching';

const ADDRESS_FLAG = {
  placeholder: 'ADDRESS',
  group: LISTENING,
  help: 'where to listen: HOST:PORT, :PORT for all interfaces, port 0 for any free one, or the path of a UNIX socket',
  parse: parseAddress,
} as const;

const SERVE_FLAGS = {
  file: {
    placeholder: 'PATH',
    group: DATA,
    help: 'the file to wait for (required)',
    parse: parseFilePath,
  },
  storage: {
    placeholder: 'FORMAT',
    group: DATA,
    help: 'format of the file, json or lmdb',
    parse: oneOf('json', 'lmdb'),
    fallback: 'json',
  },
  gzipped: {
    group: DATA,
    help: 'the file is compressed with gzip; json only',
    parse: parseBoolean,
    fallback: 'false',
  },
  bucket: {
    placeholder: 'NAME',
    group: DATA,
    help: 'the named database to serve; lmdb only',
    parse: parseName,
    fallbackNote: 'the unnamed one',
  },
  basedir: {
    placeholder: 'DIR',
    group: DATA,
    help: 'the folder that keeps the data being served',
    parse: parseFolderPath,
    fallbackNote: 'the folder of -file',
  },
  addr: { ...ADDRESS_FLAG, fallback: ':11211' },
  proto: {
    placeholder: 'NAME',
    group: LISTENING,
    help: 'protocol of the clients',
    parse: oneOf('memcached'),
    fallback: 'memcached',
  },
  handler: {
    placeholder: 'NAME',
    group: LISTENING,
    help: 'how keys are looked up',
    parse: oneOf('simple'),
    fallback: 'simple',
  },
  threads: {
    placeholder: 'N',
    group: RESOURCES,
    help: `threads that serve clients, 1 to ${THREADS_MAX}`,
    parse: parseThreads,
    fallback: '1',
  },
  memory: {
    placeholder: 'SIZE',
    group: RESOURCES,
    help: 'memory that a data set may take, such as 512MiB or 1.5GB, or max for no limit',
    parse: parseSize,
    fallbackNote: 'a share of what the machine has',
  },
  'poll-interval': {
    placeholder: 'DURATION',
    group: WATCHING,
    help: 'look for files this often, such as 2s, where events do not arrive, as on network file systems; 0 relies on events',
    parse: parseDurationOrZero,
    fallback: '0',
  },
  rescan: {
    placeholder: 'DURATION',
    group: WATCHING,
    help: 'look this often even without an event, in case one was lost',
    parse: parseDuration,
    fallback: '5s',
  },
} as const satisfies FlagTable;

const SERVE_NOTES = `
Publishing: write PATH, and its MD5 sum as PATH.md5, in either order. Once the
two match, the file is moved away and served; no request fails meanwhile.

Example:
  goromdb -file /srv/drop/data.json -addr 127.0.0.1:11211
  cd /srv/drop && cp ~/data.json . && md5sum data.json > data.json.md5

Flags may be written -flag X, -flag=X, --flag X or --flag=X.`;

function addServe(program: Command, accept: (invocation: Invocation) => void): void {
  const command = program
    .command(DEFAULT_COMMAND)
    .description('Serves the newest version of a database file to memcached clients, read-only.')
    .usage('goromdb -file PATH [flags]\n       goromdb COMMAND [flags]')
    .addHelpText('after', SERVE_NOTES)
    .action(() => {
      refuseArguments(command);
      accept({ kind: 'serve', options: serveOptions(command) });
    });
  addFlags(command, SERVE_FLAGS);
}

function serveOptions(command: Command): ServeOptions {
  const values = valuesOf(command, SERVE_FLAGS);
  const { file, storage, gzipped, bucket } = values;
  if (file === undefined) {
    throw misuse('-file is required: the path of the file to wait for, such as -file data.json');
  }
  if (gzipped && storage !== 'json') {
    throw misuse(`-gzipped: only json can be gzipped, and the storage is ${storage}`);
  }
  if (bucket !== undefined && storage !== 'lmdb') {
    throw misuse(`-bucket: only lmdb has buckets, and the storage is ${storage}`);
  }
  return {
    address: values.addr,
    protocol: values.proto,
    handler: values.handler,
    storage,
    file,
    gzipped,
    bucket,
    basedir: values.basedir ?? dirname(file),
    threads: values.threads,
    memoryBytes: values.memory,
    pollIntervalMs: values['poll-interval'],
    rescanMs: values.rescan,
  };
}

const DEMO_FLAGS = {
  addr: { ...ADDRESS_FLAG, fallback: '127.0.0.1:11211' },
} as const satisfies FlagTable;

function addDemo(program: Command, accept: (invocation: Invocation) => void): void {
  const command = program
    .command('demo')
    .description('Serves a sample data set and tells what to type next.')
    .usage('goromdb demo [flags]')
    .action(() => {
      refuseArguments(command);
      accept({ kind: 'demo', address: valuesOf(command, DEMO_FLAGS).addr });
    });
  addFlags(command, DEMO_FLAGS);
}

function createProgram(write: (text: string) => void): Command {
  return new Command('goromdb')
    .exitOverride()
    .helpCommand(false)
    .allowExcessArguments()
    .configureHelp(HELP)
    .configureOutput({
      writeOut: write,
      writeErr: () => {},
      // Help is the same text wherever it goes, so that it can be tested and pasted.
      getOutHelpWidth: () => HELP_COLUMNS,
      getOutHasColors: () => false,
    });
}

function addCommonFlags(program: Command, version: string): void {
  for (const command of program.commands) {
    command
      .optionsGroup('Other:')
      .version(`goromdb ${version}`, '--version', 'print the version and exit')
      .addHelpOption(new Option('--help', 'print this text and exit'));
  }
}

const HELP: HelpConfiguration = {
  commandUsage: (command) => command.usage(),
  optionTerm: goSpelling,
  optionDescription: ({ description, defaultValueDescription: fallback }) =>
    fallback === undefined || fallback === 'false'
      ? description
      : `${description} (default: ${fallback})`,
  subcommandTerm: (command) => command.name(),
  // The help of the default command is what `goromdb -help` prints, so it lists the others.
  visibleCommands: (command) => {
    const { commands } = (command.name() === DEFAULT_COMMAND && command.parent) || command;
    return commands.filter((other) => other.name() !== DEFAULT_COMMAND);
  },
};

/** As in Go, `-gzipped false` sets the flag and leaves an argument over. */
function refuseArguments(command: Command): void {
  if (command.args.length === 0) return;
  const given = JSON.stringify(command.args[0]);
  const boolean = command.options.find((option) => option.optional);
  const hint =
    boolean !== undefined && /^(?:true|false|[01tf])$/i.test(command.args[0])
      ? `; a yes or no needs "=", as in ${goSpelling(boolean)}=${command.args[0]}`
      : '';
  throw misuse(`${given} is not expected: there are only flags here${hint}`);
}

/** What went wrong, in Go's spelling. */
function explain(error: unknown): string {
  if (!(error instanceof CommanderError)) return messageOf(error);
  const match = /^error: unknown (option|command) '(.*?)'(?:\n\(Did you mean (.*)\?\))?$/s.exec(
    error.message,
  );
  if (match === null) return error.message;
  const [, kind, given, nearMiss] = match;
  const advice = nearMiss === undefined ? '' : `; did you mean ${nearMiss.replaceAll('--', '-')}?`;
  if (kind === 'option') return `unknown flag ${given.replace(/^--(?!-)/, '-')}${advice}`;
  return `unknown command ${JSON.stringify(given)}${advice || '; a data file is given by -file'}`;
}

function usageError(command: Command | undefined, message: string): Invocation {
  const isOther = command !== undefined && command.name() !== DEFAULT_COMMAND;
  const help = isOther ? `goromdb ${command.name()} -help` : 'goromdb -help';
  return {
    kind: 'usage-error',
    message: `goromdb: ${message}\nRun '${help}' for all flags.`,
    exitCode: 2,
  };
}
