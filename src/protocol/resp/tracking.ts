import type { Reply } from '../reply.ts';
import type { Client, Tracking, TrackingOptions } from './client.ts';
import { type Call, fail, isInteger, NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';
import {
  appendArray,
  appendBulkText,
  appendInteger,
  appendMap,
  appendNull,
  appendPush,
  appendSet,
  appendSimple,
} from './output.ts';
import { joinedPrefixes } from './prefixes.ts';
import { mayBeElsewhere } from './share.ts';
import { appendMessage } from './subscriptions.ts';

const MODES: readonly string[] = ['bcast', 'optin', 'optout', 'noloop'];

/** What a string takes beside its characters: its head, its place in a list, and what is rounded up. */
const STRING_BYTES = 32;

const NEEDS_RESP3 =
  'ERR tracking in RESP2 needs REDIRECT, to a connection that has subscribed to ' +
  '__redis__:invalidate; or send HELLO 3 first';
const NO_BCAST = 'ERR PREFIX option requires BCAST mode to be enabled';
const BCAST_ALONE = 'ERR OPTIN and OPTOUT are not compatible with BCAST';
const OPT_BOTH = "ERR You can't specify both OPTIN mode and OPTOUT mode";
const REDIRECT_TWICE = 'ERR A client can only redirect to a single other client';
const NO_SUCH_CLIENT = 'ERR The client ID you want redirect to does not exist';
const NOT_OPT =
  'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT ' +
  'mode enabled';

function cannotSwitch(mode: string): string {
  const first = `ERR You can't switch ${mode} before disabling tracking for this client`;
  return `${first}, and then re-enabling it with a different mode.`;
}

/** CLIENT TRACKING ON|OFF [REDIRECT id] [PREFIX prefix …] [BCAST] [OPTIN] [OPTOUT] [NOLOOP] */
export function tracking(call: Call, reply: Reply): void {
  const { client } = call;
  const isOn = call.args.nextWord();
  const asked = optionsOf(call);
  if (isOn !== 'on' && isOn !== 'off') {
    fail(call, reply, SYNTAX_ERROR);
    return;
  }
  const wanted = typeof asked === 'string' || isOn === 'on' ? asked : undefined;
  const next = typeof wanted === 'object' ? joined(client, wanted, reply) : wanted;
  if (typeof next === 'string') {
    fail(call, reply, next);
    return;
  }
  client.tracking = next;
  appendSimple(reply, 'OK');
}

/** @returns The options as they are now, or the error. */
function optionsOf(call: Call): TrackingOptions | string {
  const { args } = call;
  const flags = new Set<string>();
  const prefixes: string[] = [];
  let redirect = 0;
  while (args.left > 0) {
    const option = args.nextWord();
    if (option === 'redirect' && args.left > 0) {
      if (redirect !== 0) return REDIRECT_TWICE;
      const text = args.nextText();
      if (!isInteger(text)) return NOT_AN_INTEGER;
      redirect = Number(text);
      // No thread knows the clients of another: an id that looks like one of them is believed.
      const isThere = call.clients.has(redirect) || mayBeElsewhere(redirect, call.context.facts);
      if (!isThere) return NO_SUCH_CLIENT;
    } else if (option === 'prefix' && args.left > 0) {
      prefixes.push(args.nextText());
    } else if (MODES.includes(option)) {
      flags.add(option);
    } else {
      return SYNTAX_ERROR;
    }
  }
  return { flags, redirect, prefixes };
}

/**
 * Joins the options with what the client tracks already. @returns What it tracks then, or the error.
 */
function joined(client: Client, asked: TrackingOptions, reply: Reply): Tracking | string {
  const { flags, redirect } = asked;
  const before = client.tracking;
  const isBcast = flags.has('bcast');
  if (asked.prefixes.length > 0 && !isBcast) return NO_BCAST;
  if (before !== undefined && before.flags.has('bcast') !== isBcast) {
    return cannotSwitch('BCAST mode on/off');
  }
  if (isBcast && (flags.has('optin') || flags.has('optout'))) return BCAST_ALONE;
  if (flags.has('optin') && flags.has('optout')) return OPT_BOTH;
  const switches =
    (flags.has('optin') && before?.flags.has('optout')) ||
    (flags.has('optout') && before?.flags.has('optin'));
  if (switches) return cannotSwitch('OPTIN/OPTOUT mode');
  if (client.resp !== 3 && redirect === 0) return NEEDS_RESP3;
  const prefixes = isBcast ? joinedPrefixes(before?.prefixes ?? [], asked.prefixes, reply) : [];
  if (typeof prefixes === 'string') return prefixes;
  const heldBytes = prefixes.reduce((sum, { length }) => sum + STRING_BYTES + length, 0);
  return { flags, redirect, prefixes, heldBytes };
}

/** CLIENT CACHING YES|NO: what a client keeps makes no difference, as all is forgotten at once. */
export function caching(call: Call, reply: Reply): void {
  const { tracking } = call.client;
  const word = call.args.nextWord();
  const mode = { yes: 'OPTIN', no: 'OPTOUT' }[word];
  if (tracking === undefined) fail(call, reply, NOT_OPT);
  else if (mode === undefined) fail(call, reply, SYNTAX_ERROR);
  else if (tracking.flags.has(mode.toLowerCase())) appendSimple(reply, 'OK');
  else {
    const which = `CLIENT CACHING ${word.toUpperCase()}`;
    fail(call, reply, `ERR ${which} is only valid when tracking is enabled in ${mode} mode.`);
  }
}

/** CLIENT GETREDIR: -1 when nothing is tracked, 0 when this connection is notified. */
export function getRedirection({ client }: Call, reply: Reply): void {
  appendInteger(reply, client.tracking?.redirect ?? -1);
}

export function trackingInfo(call: Call, reply: Reply): void {
  const { client } = call;
  const { flags, prefixes } = client.tracking ?? { flags: undefined, prefixes: [] };
  const words = flags === undefined ? ['off'] : ['on', ...MODES.filter((mode) => flags.has(mode))];
  appendMap(reply, client.resp, 3);
  appendBulkText(reply, 'flags');
  appendSet(reply, client.resp, words.length);
  for (const flag of words) appendBulkText(reply, flag);
  appendBulkText(reply, 'redirect');
  getRedirection(call, reply);
  appendBulkText(reply, 'prefixes');
  appendArray(reply, prefixes.length);
  for (const prefix of prefixes) appendBulkText(reply, prefix);
}

/**
 * Whether to notify a client of a swap now. A client that tracks for itself reads on the connection
 * that it is notified on, so its own thread must have swapped: RESP3 only, where a push is no
 * reply. A client that subscribed is notified for others, whose connections may be in any thread:
 * so all threads must have swapped.
 */
export function isToBeNotified(client: Client): boolean {
  const { hasSwapped, hasSwappedEverywhere, isSubscribed, resp } = client;
  if (hasSwappedEverywhere && isSubscribed) return true;
  return hasSwapped && resp === 3 && tracksForItself(client);
}

/** Whether a client tracks what it reads, and is itself notified. */
function tracksForItself({ tracking, id }: Client): boolean {
  return tracking !== undefined && (tracking.redirect === 0 || tracking.redirect === id);
}

/** The data was replaced: says so to a client that is to be notified. Who is notified later stays marked. */
export function appendNews(client: Client, reply: Reply): void {
  const isTold = isToBeNotified(client);
  if (isTold) appendForget(client, reply);
  client.hasSwapped = !isTold && client.hasSwapped && tracksForItself(client);
  client.hasSwappedEverywhere = false;
}

/** Has a client forget all that it keeps, or that is kept for it, as after FLUSHALL in Redis. */
function appendForget(client: Client, reply: Reply): void {
  if (client.resp === 2) {
    appendMessage(reply);
  } else {
    appendPush(reply, 3, 2);
    appendBulkText(reply, 'invalidate');
    appendNull(reply, 3);
  }
}
