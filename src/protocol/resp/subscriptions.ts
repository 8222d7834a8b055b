import type { Reply } from '../reply.ts';
import type { Client } from './client.ts';
import { type Call, type Command, fail, plainCommand } from './command.ts';
import { appendBulkCopy, appendBulkText, appendInteger, appendNull, appendPush } from './output.ts';

/** Where a client of RESP2 hears of what others track (Redis' TrackingChannelName). */
const CHANNEL = '__redis__:invalidate';

/** There is one channel to name: each request has one answer. */
const ARGS_MAX = 2;

const OTHER_CHANNEL = `ERR only ${CHANNEL} can be subscribed to: nothing is published here`;

const FLAGS: readonly string[] = ['pubsub', 'noscript', 'loading', 'stale'];

/** What a client of RESP2 may still send that has subscribed: it reads no other answers. */
const SUBSCRIBERS_COMMANDS: ReadonlySet<string> = new Set([
  'subscribe',
  'unsubscribe',
  'ping',
  'quit',
  'reset',
]);

/** @returns The error for a command that must wait until the client has unsubscribed. */
export function faultOfSubscriber(
  { isSubscribed, resp }: Client,
  name: string,
): string | undefined {
  if (!isSubscribed || resp === 3 || SUBSCRIBERS_COMMANDS.has(name)) return undefined;
  return (
    `ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET ` +
    'are allowed in this context'
  );
}

/** How many channels a client has, which follows in the reply to each subscription. */
function appendCount({ client }: Call, reply: Reply): void {
  appendInteger(reply, client.isSubscribed ? 1 : 0);
}

/** SUBSCRIBE channel */
function subscribe(call: Call, reply: Reply): void {
  const { args, client } = call;
  if (args.nextText() !== CHANNEL) {
    fail(call, reply, OTHER_CHANNEL);
    return;
  }
  client.isSubscribed = true;
  appendPush(reply, client.resp, 3);
  appendBulkText(reply, 'subscribe');
  appendBulkText(reply, CHANNEL);
  appendCount(call, reply);
}

/** UNSUBSCRIBE [channel] */
function unsubscribe(call: Call, reply: Reply): void {
  const { args, client } = call;
  const isNamed = args.advance();
  const { input, start, end } = args;
  appendPush(reply, client.resp, 3);
  appendBulkText(reply, 'unsubscribe');
  if (isNamed) appendBulkCopy(reply, input, start, end);
  else if (client.isSubscribed) appendBulkText(reply, CHANNEL);
  else appendNull(reply, client.resp);
  const isOfAnother = isNamed && input.toString('latin1', start, end) !== CHANNEL;
  client.isSubscribed &&= isOfAnother;
  appendCount(call, reply);
}

/** The message that has who subscribed forget all that others track for it. */
export function appendMessage(reply: Reply): void {
  appendPush(reply, 2, 3);
  appendBulkText(reply, 'message');
  appendBulkText(reply, CHANNEL);
  appendNull(reply, 2);
}

export const SUBSCRIPTIONS: readonly Command[] = [
  { ...plainCommand('subscribe', -2, subscribe, FLAGS), argsMax: ARGS_MAX },
  { ...plainCommand('unsubscribe', -1, unsubscribe, FLAGS), argsMax: ARGS_MAX },
];
