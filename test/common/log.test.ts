import { describe, expect, it, test } from 'vitest';
import {
  createLineLogger,
  type LogFields,
  type LogOptions,
  loggerAbout,
  oneLine,
} from '../../src/common/log.ts';

const AT = Date.UTC(2026, 0, 31, 3);
const LISTENING = { event: 'server-listening' } as const;

function logged(
  options: LogOptions,
  log: (logger: ReturnType<typeof createLineLogger>) => void,
): readonly string[] {
  const lines: string[] = [];
  log(createLineLogger((line) => lines.push(line), { now: () => AT, ...options }));
  return lines;
}

describe('a line of the log', () => {
  it('is for people, with time, level and message', () => {
    expect(logged({}, (logger) => logger.warn('as it is', LISTENING))).toEqual([
      '2026-01-31T03:00:00.000Z warn as it is\n',
    ]);
  });

  it('is a JSON object with stable names when that is asked for', () => {
    const fields: LogFields = { ...LISTENING, generation: 3, code: undefined, path: '/srv/a' };
    const lines = logged({ format: 'json' }, (logger) =>
      loggerAbout(logger, 'data set geo: ', { dataSet: 'geo' }).info('serves', fields),
    );
    expect(lines).toEqual([
      '{"time":"2026-01-31T03:00:00.000Z","level":"info","event":"server-listening",' +
        '"generation":3,"path":"/srv/a","data_set":"geo","message":"data set geo: serves"}\n',
    ]);
  });

  it('is written from the lowest level on that is asked for', () => {
    const lines = logged({ level: 'warn' }, (logger) => {
      logger.info('a', LISTENING);
      logger.warn('b', LISTENING);
      logger.error('c', LISTENING);
    });
    expect(lines.map((line) => line.trimEnd().at(-1))).toEqual(['b', 'c']);
  });
});

/** What could end a line, begin another one, or change how it looks. */
const HOSTILE = [
  'a\n2026-01-31T03:00:00.000Z info forged',
  'a\r\nforged',
  'a\rforged',
  'a\x1b[2K\x1b[1Gforged',
  'a\x9b2Jforged',
  'a\u2028forged\u2029',
  'a\u202eforged',
  'a"}\n{"level":"info","message":"forged',
  'a\u0000b\x7f',
  'a\ud800b',
];

test.each(HOSTILE)('%j in a message or a field stays in its line, and shows', (text) => {
  for (const format of ['human', 'json'] as const) {
    const lines = logged({ format }, (logger) =>
      logger.warn(`found ${text}`, { ...LISTENING, path: text }),
    );
    expect(lines).toHaveLength(1);
    expect(lines[0].slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u);
    if (format === 'human') continue;
    const { level, message, path } = JSON.parse(lines[0]);
    expect([level, message, path]).toEqual(['warn', `found ${oneLine(text)}`, oneLine(text)]);
  }
});
