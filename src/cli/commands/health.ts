import http from 'node:http';
import process from 'node:process';
import { type Address, formatAddress } from '../../common/address.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { durationMs } from '../../common/go-duration.ts';
import { oneLine } from '../../common/log.ts';
import { ADDRESS } from '../options/clients.ts';
import { notAllowed, optionGroup } from '../options/option.ts';
import { defineCommand } from './command.ts';

/** How long the server may take for its answer. */
const TIMEOUT_MS = 5_000;
/** Longest answer that is read: a reason for each data set is far shorter. */
const ANSWER_BYTES_MAX = 256 * 1024;

export const health = defineCommand({
  name: 'health',
  summary: 'Says by its exit code whether a server is ready, as a container asks.',
  usage: 'goromdb health [-addr ADDRESS] [-fresh DURATION] [-md5 MD5]',
  notes: `
It asks /readyz of the server's -http. Exit codes: 0 every data set serves, and
what was asked for is so; 1 not so, or no answer; 2 wrong flags.`,
  options: optionGroup('Flags', {
    addr: { ...ADDRESS, help: 'the -http of the server', fallback: '127.0.0.1:11280' },
    fresh: {
      placeholder: 'DURATION',
      help: 'what serves must have been installed within this time, such as 26h',
      parse(text: string): string {
        if (durationMs(text) > 0) return text;
        throw notAllowed(text, 'a duration such as "26h" or "90m"');
      },
      fallbackNote: 'any age',
    },
    md5: {
      placeholder: 'MD5',
      help: 'a data set must serve the file with this MD5',
      parse(text: string): string {
        if (/^[\da-f]{32}$/i.test(text)) return text;
        throw notAllowed(text, '32 hex digits');
      },
      fallbackNote: 'any file',
    },
  }),
  read: ({ values }) => values,
  async run({ addr, fresh, md5 }) {
    const query = new URLSearchParams({ ...(fresh && { fresh }), ...(md5 && { md5 }) });
    const { status, text } = await get(addr, `/readyz?${query}`);
    const isReady = status === 200;
    const out = isReady ? process.stdout : process.stderr;
    out.write(`${oneLine(isReady ? 'ready' : `not ready: ${text.trim()}`)}\n`);
    return isReady ? 0 : 1;
  },
});

/** @throws GoromdbError SERVER_FAILED when there is no answer. */
async function get(
  address: Address,
  path: string,
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  const target =
    address.kind === 'unix'
      ? { socketPath: address.path }
      : { host: address.host ?? 'localhost', port: address.port };
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const request = http.get({ ...target, path, agent: false, signal });
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject);
    });
    let text = '';
    for await (const piece of response.setEncoding('utf8')) {
      text += piece;
      if (text.length > ANSWER_BYTES_MAX) break;
    }
    return { status: response.statusCode, text };
  } catch (cause) {
    const message = `no answer from ${formatAddress(address)}: ${messageOf(cause)}`;
    throw new GoromdbError('SERVER_FAILED', message, { cause });
  }
}
