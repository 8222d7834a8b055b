/** Where the program logs what happens. Passed in everywhere; there is no global logger. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/**
 * A logger that writes one line a message: `2026-01-31T03:00:00.000Z info message`.
 *
 * @param write Receives each line with its newline, as `process.stderr.write` does.
 * @param now Clock in milliseconds since 1970.
 */
export function createLineLogger(
  write: (line: string) => void,
  now: () => number = Date.now,
): Logger {
  const log = (level: string, message: string): void => {
    write(`${new Date(now()).toISOString()} ${level} ${oneLine(message)}\n`);
  };
  return {
    info: (message) => log('info', message),
    warn: (message) => log('warn', message),
    error: (message) => log('error', message),
  };
}

/**
 * One message is one line, and no message moves the cursor of a terminal, whatever a file name or a
 * hostile file put into it.
 */
export function oneLine(message: string): string {
  return message.replace(/\r?\n|\p{Cc}/gu, ' ');
}

/** A logger that says nothing. */
export const silentLogger: Logger = { info: () => {}, warn: () => {}, error: () => {} };
