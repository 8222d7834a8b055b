/**
 * What belongs in this folder: runs a server as a process: signals, exit codes, what a terminal
 * shows.
 */
import process from 'node:process';
import type { Goromdb } from '../../app/app.ts';
import type { ServerOptions } from '../../app/options.ts';
import { createLineLogger, type Logger } from '../../common/log.ts';
import { showProgress } from './progress.ts';
import { startLine } from './start-line.ts';

/** Ends the process although a client or a disk keeps it waiting. */
const EXIT_TIMEOUT_MS = 2_000;

/** Where a server reports while it runs. */
export type Reporting = Required<Pick<ServerOptions, 'logger' | 'onLoad'>>;

/**
 * Runs a server until a signal ends it: SIGINT and SIGTERM close it. The process ends with 0.
 *
 * @param argv The command line, for the log.
 * @param onHangUp What SIGHUP does with the server when it runs; `end`: SIGHUP ends it.
 * @throws what `start` throws, or what has ended the server.
 */
export async function runServer<Server extends Goromdb>(
  argv: readonly string[],
  start: (reporting: Reporting) => Promise<Server>,
  onHangUp: 'end' | ((server: Server, logger: Logger) => void),
): Promise<never> {
  const stderr = process.stderr;
  // The reader of the log may go away; the server stays.
  stderr.on('error', () => {});
  process.stdout.on('error', () => {});
  const logger = createLineLogger((line) => stderr.write(line));
  const reporting = { logger, onLoad: showProgress(stderr) };
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
    else onHangUp(goromdb, logger);
  };
  process.on('SIGINT', end).on('SIGTERM', end).on('SIGHUP', hangUp);
  // Without a listener the first opens Node's debugger, and the second ends the process.
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
    process.on(signal, () => logger.info(`${signal} is not used, and changes nothing`));
  }
  logger.info(startLine(argv));
  goromdb = await start(reporting);
  if (isHungUp && onHangUp !== 'end') onHangUp(goromdb, logger);
  await goromdb.done;
  exit(logger);
}

function exit(logger: Logger, lack?: string): never {
  if (lack === undefined) logger.info('stopped');
  else logger.warn(`stopped: ${lack}`);
  process.exit(0);
}
