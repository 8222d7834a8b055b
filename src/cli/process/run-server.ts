/**
 * What belongs in this folder: runs a server as a process: signals, exit codes, what a terminal
 * shows.
 */
import process from 'node:process';
import type { Goromdb } from '../../app/app.ts';
import type { ServerPlan } from '../../app/options.ts';
import { formatAddress } from '../../common/address.ts';
import { GoromdbError } from '../../common/errors.ts';
import { createLineLogger, type Logger, type LogOptions } from '../../common/log.ts';
import { Systemd } from '../../systemd/systemd.ts';
import { endWithReader } from './fail.ts';
import { predecessor } from './predecessor.ts';
import { showProgress } from './progress.ts';
import { startLine } from './start-line.ts';

/** Ends the process although a client or a disk keeps it waiting. */
const EXIT_TIMEOUT_MS = 2_000;

/** Where a server reports while it runs. */
export type Reporting = Required<Pick<ServerPlan, 'logger' | 'onLoad' | 'onEvent'>>;

/** What SIGHUP does with a server when it runs. */
export type HangUp<Server> = (server: Server, logger: Logger) => Promise<void>;

/** How a server is handed over to a new process: see `Upgrading`. */
interface Upgrades<Server> {
  attach(server: Server, onLeave: () => void): void;
  abort(): void;
  /** Logs also what has failed. */
  runFor(who: string, logger: Logger): Promise<unknown>;
}

/** What a process does beside its start. */
interface Running<Server> {
  /** `end`: SIGHUP ends it. */
  readonly onHangUp: 'end' | HangUp<Server>;
  /** What SIGUSR2 begins; undefined: nothing. */
  readonly upgrades?: Upgrades<Server>;
  /** How the log is written. */
  readonly log: LogOptions | undefined;
}

/**
 * Runs a server until a signal ends it: SIGINT and SIGTERM close it. The process ends with 0.
 *
 * @param argv The command line, for the log.
 * @throws what `start` throws, or what has ended the server.
 */
export async function runServer<Server extends Goromdb>(
  argv: readonly string[],
  start: (reporting: Reporting) => Promise<Server>,
  { onHangUp, upgrades, log }: Running<Server>,
): Promise<never> {
  const logger = processLogger(log);
  const systemd = Systemd.find(process.env, logger);
  const onEvent: Reporting['onEvent'] = (set, { kind, text }) => {
    systemd?.status(`${set === '' ? '' : `${set}: `}${kind}: ${text}`);
  };
  const reporting = { logger, onLoad: showProgress(process.stderr), onEvent };
  let goromdb: Server | undefined;
  let isEnding = false;
  let isHungUp = false;
  const end = (signal: NodeJS.Signals): void => {
    if (isEnding) return;
    isEnding = true;
    logger.info(`${signal}: stops`, { event: 'server-stopping' });
    systemd?.stopping();
    upgrades?.abort();
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
    logger.info(`${signal}: reloads`, { event: 'reload-begun' });
    if (goromdb === undefined) isHungUp = true;
    else reload(goromdb, logger, onHangUp, systemd);
  };
  process.on('SIGINT', end).on('SIGTERM', end).on('SIGHUP', hangUp);
  listenToUsers(logger, upgrades);
  logger.info(startLine(argv), { event: 'server-starting' });
  goromdb = await start(reporting);
  const isSuccessor = predecessor() !== undefined;
  const isTold = await systemd?.ready(formatAddress(goromdb.address), isSuccessor);
  if (isSuccessor && isTold === false) {
    // It would take the end of the old process for the end of the service, and end this one.
    throw new GoromdbError('UPGRADE_FAILED', 'systemd could not be notified of the new process');
  }
  upgrades?.attach(goromdb, () => systemd?.leave());
  if (isHungUp && onHangUp !== 'end') reload(goromdb, logger, onHangUp, systemd);
  await goromdb.done;
  exit(logger);
}

function processLogger(log: LogOptions | undefined): Logger {
  const stderr = process.stderr;
  // The reader of the log may go away; the server stays.
  stderr.on('error', () => {});
  process.stdout.off('error', endWithReader).on('error', () => {});
  return createLineLogger((line) => stderr.write(line), log);
}

function reload<Server>(
  server: Server,
  logger: Logger,
  onHangUp: HangUp<Server>,
  systemd: Systemd | undefined,
): void {
  systemd?.reloading();
  void onHangUp(server, logger).finally(() => systemd?.reloaded());
}

/** Without a listener SIGUSR1 opens Node's debugger, and SIGUSR2 ends the process. */
function listenToUsers<Server>(logger: Logger, upgrades: Upgrades<Server> | undefined): void {
  const fields = { event: 'signal-ignored' } as const;
  process.on('SIGUSR1', () => logger.info('SIGUSR1 is not used, and changes nothing', fields));
  process.on('SIGUSR2', () => {
    if (upgrades === undefined) {
      logger.info('SIGUSR2 is not used here, and changes nothing', fields);
      return;
    }
    upgrades.runFor('SIGUSR2', logger).catch(() => {});
  });
}

function exit(logger: Logger, lack?: string): never {
  if (lack === undefined) logger.info('stopped', { event: 'server-stopped' });
  else logger.warn(`stopped: ${lack}`, { event: 'server-stopped' });
  process.exit(0);
}
