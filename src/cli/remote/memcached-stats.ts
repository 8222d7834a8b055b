import net from 'node:net';
import { type Address, formatAddress } from '../../common/address.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { ANSWER_BYTES_MAX, ANSWER_MS_MAX } from './http-get.ts';

/** What a server says of itself and of its data, by the names that `stats` has for it. */
export interface Stats {
  readonly server: ReadonlyMap<string, string>;
  readonly data: ReadonlyMap<string, string>;
}

/**
 * Asks `stats` and `stats dataset` by memcached's text protocol.
 *
 * @throws GoromdbError SERVER_FAILED when there is no answer, or it is not that of a goromdb.
 */
export async function askStats(address: Address): Promise<Stats> {
  const where = formatAddress(address);
  let lines: readonly string[];
  try {
    lines = await converse(address);
  } catch (cause) {
    throw failed(`no answer from ${where}: ${messageOf(cause)}`, cause);
  }
  const end = lines.indexOf('END');
  const server = statsIn(lines.slice(0, end + 1));
  const data = statsIn(lines.slice(end + 1));
  if (data.has('generation')) return { server, data };
  const found = lines.find((line) => !/^(?:STAT |END$)/.test(line)) ?? 'none';
  const advice = 'for one that asks for a login or TLS, give the URL of its -http';
  throw failed(
    `${where}: expected the stats of a goromdb, found ${JSON.stringify(found.slice(0, 100))}: ${advice}`,
  );
}

function converse(address: Address): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket =
      address.kind === 'unix'
        ? net.connect(address.path)
        : net.connect(address.port, address.host ?? 'localhost');
    const timer = setTimeout(() => {
      socket.destroy(new Error(`expected it within ${ANSWER_MS_MAX / 1000} s`));
    }, ANSWER_MS_MAX);
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      if (text.length > ANSWER_BYTES_MAX) socket.destroy(new Error('it does not end'));
    });
    socket.once('connect', () => socket.write('stats\r\nstats dataset\r\nquit\r\n'));
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(text.split('\r\n').filter((line) => line !== ''));
    });
  });
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
