import process from 'node:process';
import { durationMs } from '../../common/go-duration.ts';
import { oneLine } from '../../common/log.ts';
import { ADDRESS } from '../options/clients.ts';
import { notAllowed, optionGroup } from '../options/option.ts';
import { httpGet } from '../remote/http-get.ts';
import { defineCommand } from './command.ts';

export const health = defineCommand({
  name: 'health',
  summary: 'Tells by its exit code whether a server is ready, for health checks of containers.',
  usage: 'goromdb health [-addr ADDRESS] [-fresh DURATION] [-md5 MD5]',
  notes: `
Examples:
  goromdb health -addr 127.0.0.1:11280
  goromdb health -addr 127.0.0.1:11280 -fresh 26h

It asks /readyz at the server's -http address.`,
  exitCodes: {
    0: 'all data sets serve, as -fresh and -md5 require',
    1: 'they do not, or the server does not answer',
    2: 'a flag is wrong',
  },
  options: optionGroup('Flags', {
    addr: { ...ADDRESS, help: 'the -http address of the server', fallback: '127.0.0.1:11280' },
    fresh: {
      placeholder: 'DURATION',
      help: 'require that every serving generation was installed within this time, such as 26h',
      parse(text: string): string {
        if (durationMs(text) > 0) return text;
        throw notAllowed(text, 'a duration such as "26h" or "90m"');
      },
      fallbackNote: 'any age',
    },
    md5: {
      placeholder: 'MD5',
      help: 'require that a data set serves the file with this MD5',
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
    const { status, text } = await httpGet(addr, `/readyz?${query}`);
    const isReady = status === 200;
    const out = isReady ? process.stdout : process.stderr;
    out.write(`${oneLine(isReady ? 'ready' : `not ready: ${text.trim()}`)}\n`);
    return isReady ? 0 : 1;
  },
});
