/** What is logged, and how. */
import type { ServerOptions } from '../../app/options.ts';
import { type OptionsFor, optionGroup } from './option.ts';
import { DURATION, oneOf } from './values.ts';

export const LOGS = optionGroup('Log', {
  'log-format': {
    placeholder: 'FORMAT',
    help: 'human: lines for people; json: a JSON object in each line',
    parse: oneOf('human', 'json'),
    fallback: 'human',
  },
  'log-level': {
    placeholder: 'LEVEL',
    help: 'lowest level to log: info, warn or error',
    parse: oneOf('info', 'warn', 'error'),
    fallback: 'info',
    elsewhere: ['loglevel', 'log.level'],
  },
  'log-slow': {
    ...DURATION,
    help: 'log requests that took this long or longer, among those that are measured',
    fallbackNote: 'no requests',
    elsewhere: ['slowlog-log-slower-than'],
    sets: 'logSlowMs',
  },
} satisfies OptionsFor<ServerOptions>);
