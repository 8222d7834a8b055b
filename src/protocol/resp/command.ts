import type { View } from '../../handler/handler.ts';
import type { SessionContext } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import type { Client, ConnectedClient } from './client.ts';
import type { ClusterMap } from './cluster-map.ts';
import type { Args } from './frame.ts';
import type { KeyAnswer } from './lookups.ts';
import { appendArray, appendError, appendSimple } from './output.ts';
import type { ScanPositions } from './positions.ts';

/** A command that a client sent, as the code that answers it sees it. */
export interface Call {
  readonly context: SessionContext;
  readonly client: Client;
  readonly positions: ScanPositions;
  /** All clients of this thread that speak this protocol, by their ids. */
  readonly clients: ReadonlyMap<number, ConnectedClient>;
  /** Where clients of a Redis Cluster are answered. */
  readonly cluster: ClusterMap | undefined;
  /** The arguments behind the name; there are as many as the command's arity allows. */
  readonly args: Args;
}

type Run = (call: Call, reply: Reply) => void;

/**
 * A command that is answered. The first fields are those that COMMAND lists.
 *
 * No request may hold the thread: what a command takes at most is declared here, and the session sees
 * to it before `run` is called. Without a word it takes ARGS_MAX_DEFAULT arguments in
 * REQUEST_BYTES_MAX bytes, and costs a unit of work (see reply.ts). One that costs more says how much,
 * or charges the reply itself for what it finds out on its way; at its limits it must not cost more
 * than STEP_WORK_MAX. A list of keys may be long, so it is not for `run` to walk: `keyAnswer` has the
 * session look the keys up, and stop between two.
 */
export interface Command {
  readonly name: string;
  /** Arguments with the name; negative: at least so many. */
  readonly arity: number;
  readonly flags: readonly string[];
  /** Which arguments are keys: the first, the last (-1: of all) and every how many. */
  readonly keys: readonly [first: number, last: number, step: number];
  readonly run: Run;
  /** Arguments that it takes at most, its name among them, where there is no list of keys. */
  readonly argsMax?: number;
  /** Units of work that it costs beside the first, and for each argument. */
  readonly work?: number;
  readonly argWork?: number;
  /** Which arguments are keys to a Redis Cluster, when COMMAND does not say it. */
  readonly routed?: Command['keys'];
  /**
   * With a cluster: does the part of its work that takes longer than a turn. false: there is more to do, when
   * the others had theirs.
   */
  readonly prepare?: (call: Call, reply: Reply) => boolean;
  /** The session answers so from all arguments, which are keys; `run` is not called. */
  readonly keyAnswer?: KeyAnswer;
}

/** Arguments that a command takes which declares no other limit, its name among them. */
const ARGS_MAX_DEFAULT = 128;

/** Whether the last of its keys is the last argument, so that a request may have many. */
export function takesKeys({ keys }: Command): boolean {
  return keys[1] === -1;
}

/**
 * How many arguments a command takes at most, its name among them. @param keysMax The limit on keys.
 */
export function argsMaxOf(command: Command, keysMax: number): number {
  return takesKeys(command) ? keysMax + 1 : (command.argsMax ?? ARGS_MAX_DEFAULT);
}

/** Whether a command may have so many arguments, its name among them. */
export function fitsArity(arity: number, argc: number): boolean {
  return arity >= 0 ? argc === arity : argc >= -arity;
}

/** A command that reads nothing but its key. */
export function keyCommand(name: string, arity: number, run: Run): Command {
  return { name, arity, flags: ['readonly', 'fast'], keys: [1, 1, 1], run };
}

/** A command without keys. */
export function plainCommand(
  name: string,
  arity: number,
  run: Run,
  flags: readonly string[] = ['loading', 'stale', 'fast'],
): Command {
  return { name, arity, flags, keys: [0, 0, 0], run };
}

/** Answers with an error, which is counted. */
export function fail(call: Call, reply: Reply, text: string): void {
  call.context.counters.protocol_errors++;
  appendError(reply, text);
}

/** Answers that a command, or a part of one as `config|get`, has too few arguments or too many. */
export function failArity(call: Call, reply: Reply, name: string): void {
  fail(call, reply, wrongArity(name));
}

export function wrongArity(name: string): string {
  return `ERR wrong number of arguments for '${name}' command`;
}

/** Lends the data as it is now. */
export function withView<T>(call: Call, use: (view: View) => T): T {
  const view = call.context.handler.view();
  try {
    return use(view);
  } finally {
    view.release();
  }
}

/** Whether there is any data, be it empty. */
export function hasData(call: Call): boolean {
  return withView(call, (view) => view.info.generation > 0);
}

/** One of the things that a container command such as CLIENT knows. */
interface Subcommand {
  /** Counts the name of the container and its own. */
  readonly arity: number;
  /** Its arguments, and what it answers, for HELP. */
  readonly help: readonly [args: string, text: string];
  readonly run: Run;
}

export type Subcommands = ReadonlyMap<string, Subcommand>;

/** Text of a client's in an error is cut here (Redis' limit). */
const EXCERPT_CHARS_MAX = 128;

/** The part of a text that an error quotes. Do not keep it: it holds the whole text. */
export function excerpt(text: string): string {
  return text.slice(0, EXCERPT_CHARS_MAX);
}

/** Runs the subcommand that the next argument names. */
export function runSubcommand(
  call: Call,
  reply: Reply,
  container: string,
  subcommands: Subcommands,
): void {
  const asked = call.args.nextText();
  const name = asked.toLowerCase();
  const subcommand = name === 'help' ? helpOf(container, subcommands) : subcommands.get(name);
  if (subcommand === undefined) {
    const hint = `Try ${container.toUpperCase()} HELP.`;
    fail(call, reply, `ERR unknown subcommand '${excerpt(asked)}'. ${hint}`);
    return;
  }
  call.client.lastCommand = `${container}|${name}`;
  if (fitsArity(subcommand.arity, call.args.left + 2)) subcommand.run(call, reply);
  else failArity(call, reply, call.client.lastCommand);
}

/** HELP, which every container has: a line with the arguments, and one that says what is answered. */
function helpOf(container: string, subcommands: Subcommands): Subcommand {
  const run: Run = (_, reply) => {
    appendArray(reply, 1 + (subcommands.size + 1) * 2);
    appendSimple(reply, `${container.toUpperCase()} <subcommand> [<argument> ...], one of:`);
    for (const [name, { help }] of [...subcommands, ['help', HELP] as const]) {
      appendSimple(reply, `${name.toUpperCase()} ${help[0]}`.trimEnd());
      appendSimple(reply, `    ${help[1]}`);
    }
  };
  return { ...HELP, run };
}

const HELP: Subcommand = { arity: 2, help: ['', 'These lines.'], run: () => {} };

/** Whether text is an integer as Redis takes it: 64 bits, no `+`, no leading zeros. */
export function isInteger(text: string): boolean {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return false;
  return text.length < 19 || BigInt.asIntN(64, BigInt(text)) === BigInt(text);
}

export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
export const SYNTAX_ERROR = 'ERR syntax error';
