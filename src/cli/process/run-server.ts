import process from 'node:process';
import { type Goromdb, startGoromdb } from '../../app/app.ts';
import type { GoromdbOptions, ServerOptions } from '../../app/options.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { createLineLogger, type Logger } from '../../common/log.ts';
import { explained } from '../../common/system-fault.ts';
import { showProgress } from './progress.ts';
import { startLine } from './start-line.ts';

/** Ends the process although a client or a disk keeps it waiting. */
const EXIT_TIMEOUT_MS = 2_000;

/** What a server tells while it runs. */
export type Tellers = Required<Pick<ServerOptions, 'logger' | 'onLoad'>>;

/**
 * Runs a server until a signal ends it: SIGINT and SIGTERM close it, SIGHUP makes it look at the
 * drop folder. The process ends with 0, or with 1 and one line that says what was wrong.
 *
 * @param argv The command line, for the log.
 */
export function serve(
  options: Omit<GoromdbOptions, 'logger' | 'onLoad'>,
  argv: readonly string[],
): Promise<void> {
  return run(argv, (tellers) => startGoromdb({ ...options, ...tellers }), reload);
}

function reload(goromdb: Goromdb): void {
  goromdb.reload();
}

/**
 * As `serve`, for a server that is started another way.
 *
 * @param onHangUp What SIGHUP does with the server when it runs; `end`: SIGHUP ends it.
 */
export async function run<Server extends Goromdb>(
  argv: readonly string[],
  start: (tellers: Tellers) => Promise<Server>,
  onHangUp: 'end' | ((server: Server, tellers: Tellers) => void),
): Promise<void> {
  const stderr = process.stderr;
  // Whoever read the log may go away; the server stays.
  stderr.on('error', () => {});
  process.stdout.on('error', () => {});
  const logger = createLineLogger((line) => stderr.write(line));
  const tellers = { logger, onLoad: showProgress(stderr) };
  let goromdb: Server | undefined;
  let isEnding = false;
  let isHungUp = false;
  const end = (signal: NodeJS.Signals): void => {
    if (isEnding) return;
    isEnding = true;
    logger.info(`${signal}: stops`);
    // Before it listens there is nothing to answer.
    if (goromdb === undefined) exit(logger);
    setTimeout(
      () => exit(logger, `not all was closed within ${EXIT_TIMEOUT_MS / 1000} s`),
      EXIT_TIMEOUT_MS,
    ).unref();
    void goromdb.close();
  };
  const hangUp = (signal: NodeJS.Signals): void => {
    if (isEnding) return;
    if (onHangUp === 'end') {
      end(signal);
      return;
    }
    logger.info(`${signal}: reloads`);
    if (goromdb === undefined) isHungUp = true;
    else onHangUp(goromdb, tellers);
  };
  process.on('SIGINT', end).on('SIGTERM', end).on('SIGHUP', hangUp);
  // Without a listener the first opens Node's debugger, and the second ends the process.
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
    process.on(signal, () => logger.info(`${signal} is not used, and changes nothing`));
  }
  logger.info(startLine(argv));
  try {
    goromdb = await start(tellers);
    if (isHungUp && onHangUp !== 'end') onHangUp(goromdb, tellers);
    await goromdb.done;
    exit(logger);
  } catch (error) {
    fail(error);
  }
}

function exit(logger: Logger, lack?: string): never {
  if (lack === undefined) logger.info('stopped');
  else logger.warn(`stopped: ${lack}`);
  process.exit(0);
}

/**
 * Ends the process: one line for what a person can mend, as the system's refusals are; the stack
 * only for a fault of ours.
 */
export function fail(error: unknown): never {
  const told = explained(error, 'a file');
  const isFault = told instanceof Error && !(told instanceof GoromdbError) && !('syscall' in told);
  const text = isFault ? told.stack : messageOf(told).replace(/\s*[\r\n]\s*/g, ' ');
  process.stderr.write(`goromdb: ${text}\n`);
  process.exit(1);
}
