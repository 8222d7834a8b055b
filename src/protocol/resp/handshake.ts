import { LOGIN_FAILURES_MAX, LOGIN_WORK } from '../login.ts';
import type { Reply } from '../reply.ts';
import { REDIS_VERSION } from './about.ts';
import { DEFAULT_USER } from './client.ts';
import { clientInfo, clientList } from './client-list.ts';
import {
  type Call,
  type Command,
  excerpt,
  fail,
  failArity,
  hasData,
  NOT_AN_INTEGER,
  plainCommand,
  runSubcommand,
  type Subcommands,
  SYNTAX_ERROR,
} from './command.ts';
import {
  appendArray,
  appendBulkCopy,
  appendBulkText,
  appendInteger,
  appendMap,
  appendNull,
  appendSimple,
  type RespVersion,
} from './output.ts';
import { caching, getRedirection, tracking, trackingInfo } from './tracking.ts';

const NO_PASSWORD =
  'ERR AUTH <password> called without any password configured for the default user. ' +
  'Are you sure your configuration is correct?';
const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.';
const HELLO_NEEDS_LOGIN =
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> ' +
  'AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol ' +
  'version at the same time';
/** To Redis' clients it is a server that has yet to read its data. */
const NO_DATA = 'LOADING this node has no data yet';
const BAD_NAME = 'ERR Client names cannot contain spaces, newlines or special characters.';

/** A name that a client gives itself may have so many bytes: it is kept with the connection. */
const CLIENT_NAME_BYTES_MAX = 256;

/** Flags of commands that are answered whatever state the server is in. */
const ALWAYS: readonly string[] = ['noscript', 'loading', 'stale', 'fast', 'no_auth'];

function ping(call: Call, reply: Reply): void {
  const { client, args, cluster } = call;
  if (cluster !== undefined && !hasData(call)) {
    fail(call, reply, NO_DATA);
    return;
  }
  const isInMessages = client.isSubscribed && client.resp === 2;
  if (isInMessages && args.left < 2) pong(call, reply);
  else if (call.args.left === 0) appendSimple(reply, 'PONG');
  else if (call.args.left === 1) echo(call, reply);
  else failArity(call, reply, 'ping');
}

/** To who has subscribed all is said in the form of messages. */
function pong(call: Call, reply: Reply): void {
  appendArray(reply, 2);
  appendBulkText(reply, 'pong');
  if (call.args.left === 0) appendBulkText(reply, '');
  else echo(call, reply);
}

function echo({ args }: Call, reply: Reply): void {
  args.advance();
  appendBulkCopy(reply, args.input, args.start, args.end);
}

/** Lets a client in, or not. Without a login Redis lets the user `default` in with any password. */
function logsIn(call: Call, reply: Reply, user: string, password: string): boolean {
  const { context, client } = call;
  const { authenticate = (name: string): boolean => name === DEFAULT_USER } = context;
  const { counters, onFailedLogin } = context;
  counters.auth_cmds++;
  reply.charge(LOGIN_WORK);
  if (authenticate(user, password)) {
    client.isKnown = true;
    client.user = user;
    return true;
  }
  counters.auth_errors++;
  onFailedLogin?.();
  client.loginFailures++;
  if (client.loginFailures === LOGIN_FAILURES_MAX) client.isEnding = true;
  return false;
}

/** AUTH [user] password */
function auth(call: Call, reply: Reply): void {
  const { args, context } = call;
  if (args.left > 2) {
    fail(call, reply, SYNTAX_ERROR);
    return;
  }
  if (args.left === 1 && context.authenticate === undefined) {
    fail(call, reply, NO_PASSWORD);
    return;
  }
  const user = args.left === 1 ? DEFAULT_USER : args.nextUtf8();
  if (logsIn(call, reply, user, args.nextUtf8())) appendSimple(reply, 'OK');
  else fail(call, reply, WRONG_PASSWORD);
}

function isClientName(name: string): boolean {
  return name.length <= CLIENT_NAME_BYTES_MAX && /^[!-~]*$/.test(name);
}

/** @returns The error in HELLO's options; undefined when they were taken over. */
function takeHelloOptions(call: Call, reply: Reply, wanted: RespVersion): string | undefined {
  const { args, client } = call;
  let { name } = client;
  while (args.left > 0) {
    const asked = args.nextText();
    const option = asked.toLowerCase();
    if (option === 'auth' && args.left >= 2) {
      const user = args.nextUtf8();
      if (!logsIn(call, reply, user, args.nextUtf8())) return WRONG_PASSWORD;
    } else if (option === 'setname' && args.left >= 1) {
      name = args.nextText();
      if (!isClientName(name)) return BAD_NAME;
    } else {
      return `ERR Syntax error in HELLO option '${excerpt(asked)}'`;
    }
  }
  if (!client.isKnown) return HELLO_NEEDS_LOGIN;
  client.name = name;
  client.resp = wanted;
  return undefined;
}

/** HELLO [version [AUTH user password] [SETNAME name]] */
function hello(call: Call, reply: Reply): void {
  const { args, client } = call;
  const asked = args.left > 0 ? args.nextText() : String(client.resp);
  if (!/^\d{1,9}$/.test(asked)) {
    fail(call, reply, 'ERR Protocol version is not an integer or out of range');
    return;
  }
  const wanted = Number(asked);
  if (wanted !== 2 && wanted !== 3) {
    fail(call, reply, 'NOPROTO unsupported protocol version');
    return;
  }
  const error = takeHelloOptions(call, reply, wanted);
  if (error === undefined) greet(call, reply);
  else fail(call, reply, error);
}

function greet(call: Call, reply: Reply): void {
  const { client } = call;
  appendMap(reply, client.resp, 7);
  for (const [name, value] of [
    ['server', 'redis'],
    ['version', REDIS_VERSION],
    ['proto', client.resp],
    ['id', client.id],
    ['mode', call.cluster === undefined ? 'standalone' : 'cluster'],
    ['role', 'master'],
  ] as const) {
    appendBulkText(reply, name);
    if (typeof value === 'number') appendInteger(reply, value);
    else appendBulkText(reply, value);
  }
  appendBulkText(reply, 'modules');
  appendArray(reply, 0);
}

function setName(call: Call, reply: Reply): void {
  const name = call.args.nextText();
  if (!isClientName(name)) {
    fail(call, reply, BAD_NAME);
    return;
  }
  call.client.name = name;
  appendSimple(reply, 'OK');
}

function getName({ client }: Call, reply: Reply): void {
  if (client.name === '') appendNull(reply, client.resp);
  else appendBulkText(reply, client.name);
}

/** Libraries send their name and version; nothing here needs them. */
function setInfo(call: Call, reply: Reply): void {
  const asked = call.args.nextText();
  if (['lib-name', 'lib-ver'].includes(asked.toLowerCase())) appendSimple(reply, 'OK');
  else fail(call, reply, `ERR Unrecognized option '${excerpt(asked)}'`);
}

/** What is asked for is so in any case: no client is preferred to another. */
function onOrOff(call: Call, reply: Reply): void {
  if (['on', 'off'].includes(call.args.nextWord())) appendSimple(reply, 'OK');
  else fail(call, reply, SYNTAX_ERROR);
}

const CLIENT_SUBCOMMANDS: Subcommands = new Map([
  [
    'id',
    {
      arity: 2,
      help: ['', 'The number of this connection.'],
      run: ({ client }, reply) => appendInteger(reply, client.id),
    },
  ],
  ['info', { arity: 2, help: ['', 'This connection, as LIST has it.'], run: clientInfo }],
  [
    'list',
    {
      arity: -2,
      help: ['[TYPE type | ID id ...]', "The connections of this one's thread, some 200 at most."],
      run: clientList,
    },
  ],
  ['getname', { arity: 2, help: ['', 'The name of this connection.'], run: getName }],
  ['setname', { arity: 3, help: ['name', 'Names this connection.'], run: setName }],
  [
    'setinfo',
    { arity: 4, help: ['(LIB-NAME|LIB-VER) text', 'Takes it; it is not kept.'], run: setInfo },
  ],
  [
    'tracking',
    {
      arity: -3,
      help: [
        '(ON|OFF) [REDIRECT id] [BCAST] [PREFIX prefix ...] [OPTIN] [OPTOUT] [NOLOOP]',
        'Tells when the data is replaced: forget what you keep.',
      ],
      run: tracking,
    },
  ],
  ['trackinginfo', { arity: 2, help: ['', 'The options of TRACKING.'], run: trackingInfo }],
  ['caching', { arity: 3, help: ['(YES|NO)', 'After TRACKING with OPTIN, OPTOUT.'], run: caching }],
  [
    'getredir',
    { arity: 2, help: ['', 'Whom TRACKING redirects to; -1: it is off.'], run: getRedirection },
  ],
  ['no-evict', { arity: 3, help: ['(ON|OFF)', 'Nobody is evicted.'], run: onOrOff }],
  ['no-touch', { arity: 3, help: ['(ON|OFF)', 'Reading leaves no trace.'], run: onOrOff }],
]);

function select(call: Call, reply: Reply): void {
  const asked = call.args.nextText();
  if (!/^(0|-?[1-9]\d{0,8})$/.test(asked)) fail(call, reply, NOT_AN_INTEGER);
  else if (asked !== '0') fail(call, reply, 'ERR DB index is out of range');
  else appendSimple(reply, 'OK');
}

function quit({ client }: Call, reply: Reply): void {
  client.isEnding = true;
  appendSimple(reply, 'OK');
}

function reset({ client, context }: Call, reply: Reply): void {
  client.isKnown = context.authenticate === undefined;
  client.transaction = undefined;
  client.watched = undefined;
  client.name = '';
  client.user = DEFAULT_USER;
  client.tracking = undefined;
  client.isSubscribed = false;
  client.resp = 2;
  appendSimple(reply, 'RESET');
}

/** The commands about the connection itself. */
export const HANDSHAKE: readonly Command[] = [
  plainCommand('ping', -1, ping, ['fast']),
  plainCommand('echo', 2, echo),
  plainCommand('auth', -2, auth, ALWAYS),
  plainCommand('hello', -1, hello, ALWAYS),
  plainCommand(
    'client',
    -2,
    (call, reply) => runSubcommand(call, reply, 'client', CLIENT_SUBCOMMANDS),
    [],
  ),
  plainCommand('select', 2, select),
  plainCommand('quit', -1, quit, ALWAYS),
  plainCommand('reset', 1, reset, ALWAYS),
];
