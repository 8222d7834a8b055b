import type { Reply } from '../reply.ts';
import { ABOUT } from './about.ts';
import { BITS } from './bits.ts';
import { CLUSTER } from './cluster.ts';
import {
  type Call,
  type Command,
  keyCommand,
  plainCommand,
  runSubcommand,
  type Subcommands,
} from './command.ts';
import { HANDSHAKE } from './handshake.ts';
import { IDLE_FACTS } from './idle-facts.ts';
import { KEY_FACTS } from './key-facts.ts';
import { LCS } from './lcs.ts';
import { LISTINGS } from './listing.ts';
import { OTHER_TYPES } from './other-types.ts';
import {
  appendArray,
  appendBulkText,
  appendInteger,
  appendMap,
  appendNull,
  appendSet,
  appendSimple,
} from './output.ts';
import { READS } from './reads.ts';
import { SUBSCRIPTIONS } from './subscriptions.ts';
import { TRANSACTIONS } from './transaction-commands.ts';
import { WRITES, type Write } from './writes.ts';

function isDoneBySession(): never {
  throw new TypeError('the session answers this command itself');
}

/** The session answers these: GET must be fast, EXEC runs others, and lists of keys may be long. */
export const GET: Command = keyCommand('get', 2, isDoneBySession);
export const EXEC: Command = plainCommand('exec', 1, isDoneBySession);
const MGET: Command = {
  ...keyCommand('mget', -2, isDoneBySession),
  keys: [1, -1, 1],
  keyAnswer: 'values',
};

/** How many of the keys there are; one that is named twice counts twice. */
const EXISTS: Command = {
  ...keyCommand('exists', -2, isDoneBySession),
  keys: [1, -1, 1],
  keyAnswer: 'count',
};

/** Nothing expires, so a touch changes nothing: it counts the keys. */
const TOUCH: Command = { ...EXISTS, name: 'touch' };

/**
 * What a browser sends that was made to attack a server on its network: an HTTP request can hold
 * lines that are commands. Redis ends the connection at these.
 */
export const HTTP_WORDS: ReadonlySet<string> = new Set(['post', 'host:']);

/** One command as COMMAND shows it; there are no categories, tips, key specifications and such. */
function appendCommand(reply: Reply, { client }: Call, command: Command): void {
  appendArray(reply, 10);
  appendBulkText(reply, command.name);
  appendInteger(reply, command.arity);
  appendSet(reply, client.resp, command.flags.length);
  for (const flag of command.flags) appendSimple(reply, flag);
  for (const number of command.keys) appendInteger(reply, number);
  for (let rest = 0; rest < 3; rest++) appendSet(reply, client.resp, 0);
  appendArray(reply, 0);
}

function appendAll(call: Call, reply: Reply): void {
  appendArray(reply, COMMANDS.size);
  for (const command of COMMANDS.values()) appendCommand(reply, call, command);
}

function commandInfo(call: Call, reply: Reply): void {
  const { args, client } = call;
  if (args.left === 0) {
    appendAll(call, reply);
    return;
  }
  appendArray(reply, args.left);
  while (args.left > 0) {
    const command = COMMANDS.get(args.nextWord());
    if (command === undefined) appendNull(reply, client.resp);
    else appendCommand(reply, call, command);
  }
}

function commandList(_: Call, reply: Reply): void {
  appendArray(reply, COMMANDS.size);
  for (const name of COMMANDS.keys()) appendBulkText(reply, name);
}

const COMMAND_SUBCOMMANDS: Subcommands = new Map([
  [
    'count',
    {
      arity: 2,
      help: ['', 'How many commands are answered.'],
      run: (_, reply) => appendInteger(reply, COMMANDS.size),
    },
  ],
  [
    'info',
    { arity: -2, help: ['[command ...]', 'Arity, flags and keys of commands.'], run: commandInfo },
  ],
  ['list', { arity: 2, help: ['', 'The names of the commands.'], run: commandList }],
  // Hints for people who type; redis-cli does without.
  [
    'docs',
    {
      arity: -2,
      help: ['[command ...]', 'Of no command.'],
      run: ({ client }, reply) => appendMap(reply, client.resp, 0),
    },
  ],
]);

function command(call: Call, reply: Reply): void {
  if (call.args.left === 0) appendAll(call, reply);
  else runSubcommand(call, reply, 'command', COMMAND_SUBCOMMANDS);
}

/** Redis has 240 commands, and a client may ask about each. */
const COMMAND: Command = {
  ...plainCommand('command', -1, command, ['loading', 'stale']),
  argsMax: 512,
  work: 200,
  argWork: 3,
};

/** The commands that are answered, by name in lower case. */
export const COMMANDS: ReadonlyMap<string, Command> = new Map(
  [
    GET,
    MGET,
    EXISTS,
    TOUCH,
    EXEC,
    ...TRANSACTIONS,
    ...READS,
    ...BITS,
    LCS,
    ...KEY_FACTS,
    ...IDLE_FACTS,
    ...OTHER_TYPES,
    ...LISTINGS,
    ...HANDSHAKE,
    ...CLUSTER,
    ...SUBSCRIPTIONS,
    ...ABOUT,
    COMMAND,
  ].map((served) => [served.name, served]),
);

const WRITES_BY_NAME: ReadonlyMap<string, Write> = new Map(
  WRITES.map((write) => [write.name, write]),
);

export function writeNamed(name: string): Write | undefined {
  return WRITES_BY_NAME.get(name);
}
