import { Command, CommanderError, type HelpConfiguration, Option } from 'commander';
import type { Address } from '../common/address.ts';
import { messageOf } from '../common/errors.ts';
import { BENCH_FLAGS, BENCH_NOTES, type BenchOptions, benchOptions } from './commands/bench.ts';
import {
  ADMIN_FLAGS,
  PUBLISH_FLAGS,
  PUBLISH_NOTES,
  type PublishOptions,
  publishOptions,
  ROLLBACK_NOTES,
  STATUS_NOTES,
} from './options/base-folder.ts';
import { ADDRESS_FLAG } from './options/clients.ts';
import {
  configPath,
  SERVE_FLAGS,
  SERVE_NOTES,
  type ServeOptions,
  serveOptions,
} from './options/serving.ts';
import {
  addFlags,
  type FlagTable,
  goSpelling,
  misuse,
  parseFilePath,
  toGnuSpelling,
  valuesOf,
} from './options/values.ts';

/** What a command line asks for. Texts end without a newline. */
export type Invocation =
  | { readonly kind: 'serve'; readonly options: ServeOptions }
  /** Serve what a file says, or only check it. */
  | { readonly kind: 'serve-config' | 'check-config'; readonly path: string }
  | { readonly kind: 'demo'; readonly address: Address }
  | { readonly kind: 'publish'; readonly options: PublishOptions }
  | { readonly kind: 'rollback' | 'status'; readonly basedir: string; readonly json: boolean }
  | { readonly kind: 'bench'; readonly options: BenchOptions }
  /** Help or version, for standard output. */
  | { readonly kind: 'print'; readonly text: string; readonly exitCode: 0 }
  /** For standard error. */
  | { readonly kind: 'usage-error'; readonly message: string; readonly exitCode: 2 };

/** Adds one command to the program; its action hands what was asked for to `accept`. */
type AddCommand = (program: Command, accept: (invocation: Invocation) => void) => void;

/** The command that runs when none is named. */
const DEFAULT_COMMAND = 'serve';
const COMMANDS: readonly AddCommand[] = [
  addServe,
  addCheckConfig,
  addDemo,
  addPublish,
  addRollback,
  addStatus,
  addBench,
];
const HELP_COLUMNS = 80;

const CHECK_CONFIG_NOTES = `
Nothing is made, changed or loaded. Exit codes: 0 it is right, 2 it is not.`;

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
    return usageError(command, explain(error, command));
  }
}

/**
 * The arguments with the name of their command in front; `help demo` is `demo -help`, and `version` is
 * `-version`.
 */
function commandFirst(argv: readonly string[]): readonly string[] {
  if (argv[0] === 'help') return commandFirst([...argv.slice(1), '-help']);
  if (argv[0] === 'version') return commandFirst([...argv.slice(1), '-version']);
  return argv.length > 0 && !argv[0].startsWith('-') ? argv : [DEFAULT_COMMAND, ...argv];
}

function addServe(program: Command, accept: (invocation: Invocation) => void): void {
  const command = program
    .command(DEFAULT_COMMAND)
    .description(
      'Serves the newest version of a database file to memcached and Redis clients, read-only.',
    )
    .usage(
      'goromdb -file PATH [flags]\n       goromdb -config PATH\n       goromdb COMMAND [flags]',
    )
    .addHelpText('after', SERVE_NOTES)
    .action(() => {
      refuseArguments(command);
      const path = configPath(command);
      if (path !== undefined) accept({ kind: 'serve-config', path });
      else accept({ kind: 'serve', options: serveOptions(command) });
    });
  addFlags(command, SERVE_FLAGS);
}

function addCheckConfig(program: Command, accept: (invocation: Invocation) => void): void {
  const command = program
    .command('check-config')
    .description('Says whether a file for -config is right, and what it asks for.')
    .usage('goromdb check-config FILE')
    .addHelpText('after', CHECK_CONFIG_NOTES)
    .allowExcessArguments()
    .action(() => {
      const [path, ...others] = command.args;
      if (path === undefined || others.length > 0) {
        throw misuse('expected the path of one file, as in goromdb check-config goromdb.toml');
      }
      accept({ kind: 'check-config', path: parseFilePath(path) });
    });
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

function addPublish(program: Command, accept: (invocation: Invocation) => void): void {
  const command = program
    .command('publish')
    .description('Drops a file as a producer should, and waits until it serves.')
    .usage('goromdb publish FILE DROP [flags]')
    .addHelpText('after', PUBLISH_NOTES)
    .action(() => accept({ kind: 'publish', options: publishOptions(command) }));
  addFlags(command, PUBLISH_FLAGS);
}

function addRollback(program: Command, accept: (invocation: Invocation) => void): void {
  const command = program
    .command('rollback')
    .description('Returns to the generation before, with a server running or not.')
    .usage('goromdb rollback -basedir DIR [flags]')
    .addHelpText('after', ROLLBACK_NOTES)
    .action(() => accept({ kind: 'rollback', ...adminOptions(command) }));
  addFlags(command, ADMIN_FLAGS);
}

function addStatus(program: Command, accept: (invocation: Invocation) => void): void {
  const command = program
    .command('status')
    .description('Shows the slots, what serves, and the last events.')
    .usage('goromdb status -basedir DIR [flags]')
    .addHelpText('after', STATUS_NOTES)
    .action(() => accept({ kind: 'status', ...adminOptions(command) }));
  addFlags(command, ADMIN_FLAGS);
}

function adminOptions(command: Command): { readonly basedir: string; readonly json: boolean } {
  refuseArguments(command);
  const { basedir, json } = valuesOf(command, ADMIN_FLAGS);
  if (basedir === undefined) throw misuse('-basedir is required: the base folder of the server');
  return { basedir, json };
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

function addBench(program: Command, accept: (invocation: Invocation) => void): void {
  const command = program
    .command('bench')
    .description(
      'Loads a memcached or Redis server, this one or another, and measures how it answers.',
    )
    .usage('goromdb bench ADDRESS [flags]')
    .addHelpText('after', BENCH_NOTES)
    .allowExcessArguments()
    .action(() => accept({ kind: 'bench', options: benchOptions(command) }));
  addFlags(command, BENCH_FLAGS);
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

/** What flags of memcached, Redis and other servers are called here. */
const FOREIGN_FLAGS: ReadonlyMap<string, string> = new Map([
  ...['p', 'port', 'l', 'listen', 'bind', 'host', 'address'].map((name) => [name, 'addr'] as const),
  ...['socket', 'unixsocket', 'unix-socket'].map((name) => [name, 's'] as const),
  ...['t', 'io-threads'].map((name) => [name, 'threads'] as const),
  ...['c', 'maxclients'].map((name) => [name, 'conn-limit'] as const),
  ...['v', 'V'].map((name) => [name, 'version'] as const),
  ['Y', 'auth-file'],
  ['a', 'unix-mode'],
  ['B', 'proto'],
  ['dir', 'basedir'],
  ['format', 'storage'],
]);

/** The flag that another server's would be here, if the command has it. */
function ownFlag(command: Command | undefined, given: string): string | undefined {
  const name = FOREIGN_FLAGS.get(given.replace(/^-+/, ''));
  const option = command?.options.find((one) => one.name() === name);
  if (option === undefined) return undefined;
  const example = name === 'addr' ? ', such as -addr 127.0.0.1:11211 or -addr :11211' : '';
  return `; use ${goSpelling(option)}${example}`;
}

/** What went wrong, in Go's spelling. */
function explain(error: unknown, command: Command | undefined): string {
  if (!(error instanceof CommanderError)) return messageOf(error);
  const match = /^error: unknown (option|command) '(.*?)'(?:\n\(Did you mean (.*)\?\))?$/s.exec(
    error.message,
  );
  if (match === null) return error.message;
  const [, kind, given, nearMiss] = match;
  const advice = nearMiss === undefined ? '' : `; did you mean ${nearMiss.replaceAll('--', '-')}?`;
  if (kind === 'option') {
    const shown = given.replace(/^--(?!-)/, '-');
    return `unknown flag ${shown}${ownFlag(command, given) ?? advice}`;
  }
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
