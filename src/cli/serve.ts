import process from 'node:process';
import { type Goromdb, startGoromdb } from '../app.ts';
import type { GoromdbOptions, ServerOptions } from '../app-options.ts';
import { GoromdbError, messageOf } from '../errors.ts';
import { createLineLogger } from '../log.ts';
import { showProgress } from './progress.ts';

/** Ends the process although a client or a disk keeps it waiting. */
const EXIT_TIMEOUT_MS = 2_000;

export interface ServeHooks {
  /** What SIGHUP does: `look` at the drop folder, which is the default, or `end` the server. */
  readonly onHangUp?: 'look' | 'end';
  /** Called when it listens. */
  readonly onStarted?: (goromdb: Goromdb) => void;
}

/** What a server tells while it runs. */
export type Tellers = Required<Pick<ServerOptions, 'logger' | 'onLoad'>>;

/**
 * Runs a server until a signal ends it: SIGINT and SIGTERM close it, SIGHUP makes it look at the
 * drop folder. The process ends with 0, or with 1 and one line that says what was wrong.
 */
export function serve(
  options: Omit<GoromdbOptions, 'logger' | 'onLoad'>,
  { onHangUp = 'look', onStarted }: ServeHooks = {},
): Promise<void> {
  return run(
    async (tellers) => {
      const goromdb = await startGoromdb({ ...options, ...tellers });
      onStarted?.(goromdb);
      return goromdb;
    },
    (goromdb, _, end) => (onHangUp === 'end' ? end() : goromdb?.reload()),
  );
}

/**
 * As `serve`, for a server that is started another way.
 *
 * @param onHangUp Told of SIGHUP, with the server if it runs yet, and how to end it.
 */
export async function run<Server extends Goromdb>(
  start: (tellers: Tellers) => Promise<Server>,
  onHangUp: (server: Server | undefined, tellers: Tellers, end: () => void) => void,
): Promise<void> {
  const stderr = process.stderr;
  // Whoever read the log may go away; the server stays.
  stderr.on('error', () => {});
  process.stdout.on('error', () => {});
  const logger = createLineLogger((line) => stderr.write(line));
  const tellers = { logger, onLoad: showProgress(stderr) };
  let goromdb: Server | undefined;
  let isEnding = false;
  const end = (): void => {
    if (isEnding) return;
    isEnding = true;
    setTimeout(() => process.exit(0), EXIT_TIMEOUT_MS).unref();
    // Before it listens there is nothing to answer.
    if (goromdb === undefined) process.exit(0);
    void goromdb.close();
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  process.on('SIGHUP', () => onHangUp(goromdb, tellers, end));
  try {
    goromdb = await start(tellers);
    await goromdb.done;
    process.exit(0);
  } catch (error) {
    fail(error);
  }
}

/**
 * Ends the process: one line for what a person can mend, as the system's refusals are; the stack
 * only for a fault of ours.
 */
export function fail(error: unknown): never {
  const isFault =
    error instanceof Error && !(error instanceof GoromdbError) && !('syscall' in error);
  const text = isFault ? error.stack : messageOf(error).replace(/\s*[\r\n]\s*/g, ' ');
  process.stderr.write(`goromdb: ${text}\n`);
  process.exit(1);
}
