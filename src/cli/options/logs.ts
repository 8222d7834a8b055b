/** What is logged, and how. */
import type { ServerOptions } from '../../app/options.ts';
import { type OptionsFor, optionGroup } from './option.ts';
import { DURATION, oneOf } from './values.ts';

export const LOGS = optionGroup('Log', {
  'log-format': {
    placeholder: 'FORMAT',
    help: 'lines for people, or a JSON object a line: human, json',
    parse: oneOf('human', 'json'),
    fallback: 'human',
  },
  'log-level': {
    placeholder: 'LEVEL',
    help: 'the lowest level that is logged: info, warn, error',
    parse: oneOf('info', 'warn', 'error'),
    fallback: 'info',
    elsewhere: ['loglevel', 'log.level'],
  },
  'log-slow': {
    ...DURATION,
    help: 'log requests that took this long or longer, of those that are measured',
    fallbackNote: 'no request is logged',
    elsewhere: ['slowlog-log-slower-than'],
    sets: 'logSlowMs',
  },
} satisfies OptionsFor<ServerOptions>);
