import type { LogEvent } from './log-events.ts';

type LogLevel = 'info' | 'warn' | 'error';

/** What programs read of a line; the names in JSON are these with `_` between words. */
export interface LogFields {
  /** Which event it is: stable, while messages may change. */
  readonly event: LogEvent;
  /** The prefix of a data set, where there are several. */
  readonly dataSet?: string;
  readonly generation?: number;
  /** An `ErrorCode`. */
  readonly code?: string | undefined;
  /** Absolute path of the file or folder that it is about. */
  readonly path?: string;
  /** Address of a client, without its port. */
  readonly client?: string;
  /** What a client has sent, as `set`. */
  readonly command?: string | undefined;
  /** `text`, `meta`, `binary` or `redis`. */
  readonly protocol?: string;
  readonly seconds?: number;
  readonly bytes?: number;
  /** Number of a serving thread. */
  readonly thread?: number;
}

/** Where the program logs what happens. Passed in everywhere; there is no global logger. */
export interface Logger {
  info(message: string, fields: LogFields): void;
  warn(message: string, fields: LogFields): void;
  error(message: string, fields: LogFields): void;
}

export interface LogOptions {
  /** Lines for people, or one JSON object a line. Default: `human`. */
  readonly format?: 'human' | 'json';
  /** The lowest level that is written. Default: `info`. */
  readonly level?: LogLevel;
  /** Clock in milliseconds since 1970. */
  readonly now?: () => number;
}

const LEVELS: readonly LogLevel[] = ['info', 'warn', 'error'];

/**
 * A logger that writes one line a message: `2026-01-31T03:00:00.000Z info message`, or a JSON object.
 *
 * @param write Receives each line with its newline, as `process.stderr.write` does.
 */
export function createLineLogger(
  write: (line: string) => void,
  { format = 'human', level: lowest = 'info', now = Date.now }: LogOptions = {},
): Logger {
  const lineOf = format === 'json' ? jsonLine : humanLine;
  const logAt = (level: LogLevel): Logger['info'] => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(lowest)) return () => {};
    return (message, fields) => {
      write(`${lineOf(new Date(now()).toISOString(), level, oneLine(message), fields)}\n`);
    };
  };
  return { info: logAt('info'), warn: logAt('warn'), error: logAt('error') };
}

function humanLine(time: string, level: LogLevel, message: string): string {
  return `${time} ${level} ${message}`;
}

function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const { event, ...others } = fields;
  const named = Object.entries(others).map(([name, value]) => {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return [snake, typeof value === 'string' ? oneLine(value) : value];
  });
  return JSON.stringify({ time, level, event, ...Object.fromEntries(named), message });
}

/** What moves the cursor of a terminal, ends a line there, or turns the direction of what follows. */
const UNSEEN = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * One message is one line, and no message forges another one or moves the cursor of a terminal, whatever
 * a file name or a hostile file put into it: the ends of lines are spaces, and what cannot be seen is
 * escaped as in JavaScript.
 */
export function oneLine(message: string): string {
  return message.replace(/\r?\n/g, ' ').replace(UNSEEN, (unseen) => {
    const code = unseen.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** A logger that says nothing. */
export const silentLogger: Logger = { info: () => {}, warn: () => {}, error: () => {} };

/** The same logger, with more about each line. @param before Stands before each message. */
export function loggerAbout(
  logger: Logger,
  before: string,
  about: Omit<LogFields, 'event'>,
): Logger {
  return entryLogger(({ level, message, fields }) =>
    logger[level](before + message, { ...fields, ...about }),
  );
}

/** A line on its way to a logger in another thread. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that gives its lines to somebody else. */
export function entryLogger(give: (entry: LogEntry) => void): Logger {
  const log =
    (level: LogLevel): Logger['info'] =>
    (message, fields) =>
      give({ level, message, fields });
  return { info: log('info'), warn: log('warn'), error: log('error') };
}
