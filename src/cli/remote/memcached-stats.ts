import net from 'node:net';
import tls from 'node:tls';
import { type Address, formatAddress } from '../../common/address.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import { ANSWER_BYTES_MAX, ANSWER_MS_MAX } from './http-get.ts';

/** What a server says of itself and of its data, by the names that `stats` has for it. */
export interface Stats {
  readonly server: ReadonlyMap<string, string>;
  readonly data: ReadonlyMap<string, string>;
}

/** How servers are asked that do not answer everybody. */
export interface Asking {
  /** By TLS. */
  readonly tls?: tls.ConnectionOptions | undefined;
  /** `user password` */
  readonly login?: string | undefined;
}

/** Ends the conversation: whoever is not let in stays connected. */
const REFUSED = /^CLIENT_ERROR /m;

/**
 * Asks `stats` and `stats dataset` by memcached's text protocol.
 *
 * @throws GoromdbError SERVER_FAILED when there is no answer, or it is not that of a goromdb.
 */
export async function askStats(address: Address, asking: Asking = {}): Promise<Stats> {
  const where = formatAddress(address);
  let lines: readonly string[];
  try {
    lines = await converse(address, asking);
  } catch (cause) {
    throw failed(`no answer from ${where}: ${messageOf(explained(cause, where))}`, cause);
  }
  const end = lines.indexOf('END');
  const server = statsIn(lines.slice(0, end + 1));
  const data = statsIn(lines.slice(end + 1));
  if (data.has('generation')) return { server, data };
  const found = lines.find((line) => !/^(?:STAT |END$|STORED$)/.test(line)) ?? 'none';
  const advice = 'for one with a login or TLS, give -auth-file, -tls or -tls-ca';
  throw failed(
    `${where}: expected the stats of a goromdb, found ${JSON.stringify(found.slice(0, 100))}: ${advice}`,
  );
}

function converse(address: Address, asking: Asking): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(address, asking);
    const timer = setTimeout(() => {
      socket.destroy(new Error(`expected it within ${ANSWER_MS_MAX / 1000} s`));
    }, ANSWER_MS_MAX);
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      if (text.length > ANSWER_BYTES_MAX) socket.destroy(new Error('it does not end'));
      if (REFUSED.test(text)) socket.destroy();
    });
    socket.write(`${loginOf(asking)}stats\r\nstats dataset\r\nquit\r\n`);
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(text.split('\r\n').filter((line) => line !== ''));
    });
  });
}

function connect(address: Address, asking: Asking): net.Socket {
  const target =
    address.kind === 'unix'
      ? { path: address.path }
      : { port: address.port, host: address.host ?? 'localhost' };
  return asking.tls === undefined ? net.connect(target) : tls.connect({ ...target, ...asking.tls });
}

/** memcached's login: a `set` of any key. */
function loginOf({ login }: Asking): string {
  return login === undefined ? '' : `set login 0 0 ${Buffer.byteLength(login)}\r\n${login}\r\n`;
}

function statsIn(lines: readonly string[]): ReadonlyMap<string, string> {
  const stats = lines.flatMap((line) => {
    const match = /^STAT (.*?) (.*)$/.exec(line);
    return match === null ? [] : [[match[1], match[2]] as const];
  });
  return new Map(stats);
}

function failed(message: string, cause?: unknown): GoromdbError {
  return new GoromdbError('SERVER_FAILED', message, { cause });
}
