import type { Reply } from '../reply.ts';
import type { ConnectedClient } from './client.ts';
import { type Call, excerpt, fail, isInteger, SYNTAX_ERROR } from './command.ts';
import { appendVerbatim } from './output.ts';

/** CLIENT LIST ends behind so many characters: some 200 clients. */
export const CLIENT_LIST_CHARS_MAX = 64 * 1024;

/** Characters, and clients that are passed over, that cost a unit of work (see reply.ts). */
const CHARS_A_UNIT = 64;
const CLIENTS_A_UNIT = 16;

const CLIENT_TYPES: readonly string[] = ['normal', 'pubsub', 'master', 'replica', 'slave'];

/**
 * What Redis shows of its own buffers. Here they are the connections' (see `-conn-buffer-limit`),
 * and not shown; programs that read these lines want the names.
 */
const NO_BUFFERS =
  'qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0';

function typeOf({ client }: ConnectedClient): string {
  return client.isSubscribed ? 'pubsub' : 'normal';
}

/** As Redis' letters for what a client is doing; N: nothing of that. */
function flagsOf({ client }: ConnectedClient): string {
  const { isSubscribed, transaction, tracking } = client;
  const flags = [
    isSubscribed ? 'P' : '',
    transaction === undefined ? '' : 'x',
    tracking === undefined ? '' : 't',
    tracking?.flags.has('bcast') ? 'B' : '',
  ].join('');
  return flags === '' ? 'N' : flags;
}

/** `tcp:127.0.0.1:40530` as Redis writes it; of a UNIX socket, whose clients have none, its path. */
function addressOf(address: string): string {
  const isUnix = address.startsWith('unix');
  return isUnix ? `${fieldOf(address.slice('unix:'.length))}:0` : address.replace(/^tcp6?:/, '');
}

/** Spaces or line ends in a path or a user's name would look like other fields, or other clients. */
function fieldOf(text: string): string {
  return text.replaceAll(/[^!-~]+/g, encodeURIComponent);
}

/** One client as a line of CLIENT LIST. */
function lineOf(connected: ConnectedClient): string {
  const { client, connection } = connected;
  const {
    address = '',
    listenAddress = '',
    state = 'conn_read',
    idleSeconds = 0,
  } = connection?.() ?? {};
  const { id, name, user, transaction, tracking, lastCommand, resp } = client;
  const subscriptions = client.isSubscribed ? 1 : 0;
  const from = address === 'unix' ? listenAddress : address;
  return [
    `id=${id} addr=${addressOf(from)} laddr=${addressOf(listenAddress)} fd=-1 name=${name}`,
    `age=${Math.floor((Date.now() - client.sinceMs) / 1000)} idle=${idleSeconds}`,
    `flags=${flagsOf(connected)} db=0 sub=${subscriptions} psub=0 ssub=0`,
    `multi=${transaction?.count ?? -1} ${NO_BUFFERS} events=${state === 'conn_write' ? 'w' : 'r'}`,
    `cmd=${lastCommand === '' ? 'NULL' : lastCommand} user=${fieldOf(user)}`,
    `redir=${tracking?.redirect ?? -1} resp=${resp}\n`,
  ].join(' ');
}

function appendLines(call: Call, reply: Reply, clients: Iterable<ConnectedClient>): void {
  let text = '';
  for (const connected of clients) {
    text += lineOf(connected);
    if (text.length > CLIENT_LIST_CHARS_MAX) break;
  }
  reply.charge(text.length / CHARS_A_UNIT);
  appendVerbatim(reply, call.client.resp, text);
}

export function clientInfo(call: Call, reply: Reply): void {
  appendLines(call, reply, [call.clients.get(call.client.id)!]);
}

/** CLIENT LIST [TYPE type] [ID id …]: of this thread, as many as there is room for. */
export function clientList(call: Call, reply: Reply): void {
  const { args, clients } = call;
  const option = args.left > 0 ? args.nextWord() : undefined;
  if (option === undefined) {
    appendLines(call, reply, clients.values());
  } else if (option === 'type' && args.left === 1) {
    listType(call, reply, args.nextText());
  } else if (option === 'id' && args.left > 0) {
    listIds(call, reply);
  } else {
    fail(call, reply, SYNTAX_ERROR);
  }
}

function listType(call: Call, reply: Reply, asked: string): void {
  const type = asked.toLowerCase();
  if (!CLIENT_TYPES.includes(type)) {
    fail(call, reply, `ERR Unknown client type '${excerpt(asked)}'`);
    return;
  }
  reply.charge(call.clients.size / CLIENTS_A_UNIT);
  const found = [...call.clients.values()].filter((connected) => typeOf(connected) === type);
  appendLines(call, reply, found);
}

function listIds(call: Call, reply: Reply): void {
  const { args, clients } = call;
  const found: ConnectedClient[] = [];
  while (args.left > 0) {
    const text = args.nextText();
    if (!isInteger(text)) {
      fail(call, reply, 'ERR Invalid client ID');
      return;
    }
    const connected = clients.get(Number(text));
    if (connected !== undefined) found.push(connected);
  }
  appendLines(call, reply, found);
}
