import type { Reply } from '../reply.ts';
import { type Call, type Client, fail, SYNTAX_ERROR } from './command.ts';
import {
  appendArray,
  appendBulkText,
  appendInteger,
  appendMap,
  appendSet,
  appendSimple,
} from './output.ts';

/** CLIENT TRACKING takes so many prefixes at most: each is kept with the connection. */
const PREFIXES_MAX = 64;

/** A prefix may have so many bytes. */
const PREFIX_BYTES_MAX = 1024;

const NO_REDIRECT =
  'ERR REDIRECT is not supported: use HELLO 3 and read the invalidations on this connection';
const NEEDS_RESP3 = 'ERR Client tracking needs RESP3: send HELLO 3 first';
const NO_BCAST = 'ERR PREFIX option requires BCAST mode to be enabled';
const OPT_BOTH = "ERR You can't use both OPTIN and OPTOUT options at the same time";

/**
 * What a client wants to be told, to keep values of its own. Data changes by a swap and in no other
 * way, so whatever a client tracks, a swap has it forget all.
 */
export interface Tracking {
  readonly flags: readonly string[];
  readonly prefixes: readonly string[];
}

/** CLIENT TRACKING ON|OFF [REDIRECT id] [PREFIX prefix …] [BCAST] [OPTIN] [OPTOUT] [NOLOOP] */
export function tracking(call: Call, reply: Reply): void {
  const isOn = call.args.nextWord();
  const asked = optionsOf(call);
  if (isOn !== 'on' && isOn !== 'off') fail(call, reply, SYNTAX_ERROR);
  else if (typeof asked === 'string') fail(call, reply, asked);
  else if (isOn === 'on' && call.client.resp !== 3) fail(call, reply, NEEDS_RESP3);
  else {
    call.client.tracking = isOn === 'on' ? asked : undefined;
    call.client.hasNews = false;
    appendSimple(reply, 'OK');
  }
}

/** @returns The options, or the error. */
function optionsOf({ args }: Call): Tracking | string {
  const flags = new Set<string>();
  const prefixes: string[] = [];
  while (args.left > 0) {
    const option = args.nextWord();
    if (option === 'redirect') return NO_REDIRECT;
    if (option === 'prefix' && args.left > 0) {
      const prefix = args.nextText();
      if (prefixes.length === PREFIXES_MAX || prefix.length > PREFIX_BYTES_MAX) {
        return `ERR at most ${PREFIXES_MAX} prefixes of ${PREFIX_BYTES_MAX} bytes`;
      }
      prefixes.push(prefix);
    } else if (['bcast', 'optin', 'optout', 'noloop'].includes(option)) {
      flags.add(option);
    } else {
      return SYNTAX_ERROR;
    }
  }
  if (prefixes.length > 0 && !flags.has('bcast')) return NO_BCAST;
  if (flags.has('optin') && flags.has('optout')) return OPT_BOTH;
  return { flags: [...flags], prefixes };
}

/** CLIENT CACHING YES|NO: what a client keeps makes no difference, as all is forgotten at once. */
export function caching(call: Call, reply: Reply): void {
  if (['yes', 'no'].includes(call.args.nextWord())) appendSimple(reply, 'OK');
  else fail(call, reply, SYNTAX_ERROR);
}

/** CLIENT GETREDIR: -1 when nothing is tracked, 0 when it is told here. */
export function getRedirection({ client }: Call, reply: Reply): void {
  appendInteger(reply, client.tracking === undefined ? -1 : 0);
}

export function trackingInfo(call: Call, reply: Reply): void {
  const { client } = call;
  const { flags, prefixes } = client.tracking ?? { flags: undefined, prefixes: [] };
  const told = flags === undefined ? ['off'] : ['on', ...flags];
  appendMap(reply, client.resp, 3);
  appendBulkText(reply, 'flags');
  appendSet(reply, client.resp, told.length);
  for (const flag of told) appendBulkText(reply, flag);
  appendBulkText(reply, 'redirect');
  getRedirection(call, reply);
  appendBulkText(reply, 'prefixes');
  appendArray(reply, prefixes.length);
  for (const prefix of prefixes) appendBulkText(reply, prefix);
}

/** The push that has a client forget all that it keeps, as after FLUSHALL in Redis. */
export function appendNews(client: Client, reply: Reply): void {
  client.hasNews = false;
  reply.text('>2\r\n$10\r\ninvalidate\r\n_\r\n');
}
