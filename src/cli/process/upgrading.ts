import process from 'node:process';
import { codeOf, GoromdbError, messageOf } from '../../common/errors.ts';
import type { Logger } from '../../common/log.ts';
import { type Outgoing, startSuccessor } from '../../upgrade/successor.ts';
import type { SocketRole } from '../../upgrade/upgrade.ts';
import { predecessor } from './predecessor.ts';

/** A server that another process can take over from. */
export interface Upgradable extends Outgoing {
  /** Of the sockets that this process was given, those that it goes on with. */
  readonly roles: readonly SocketRole[];
  /** Another process serves now. */
  leave(roles: readonly SocketRole[]): Promise<void>;
}

/** The answer to `goromdb upgrade`. */
export interface Upgraded {
  readonly pid: number;
  readonly version: string;
  readonly seconds: number;
}

/** What this process does when it is asked for an upgrade, by the command or by SIGUSR2. */
export class Upgrading {
  #server: Upgradable | undefined;
  #onLeave: () => void = () => {};
  #isUnderWay = false;
  readonly #abort = new AbortController();

  /**
   * The server runs: this process does all from now on, and can be upgraded.
   *
   * @param onLeave Called when another process has taken over.
   */
  attach(server: Upgradable, onLeave: () => void): void {
    this.#server = server;
    this.#onLeave = onLeave;
    predecessor()?.taken(server.roles);
  }

  /** This process ends: a new one that has not taken over ends with it. */
  abort(): void {
    this.#abort.abort();
  }

  /**
   * @param who Who asks, for the log.
   * @throws GoromdbError UPGRADE_FAILED: this process keeps serving.
   */
  async runFor(who: string, logger: Logger): Promise<Upgraded> {
    logger.info(`${who}: upgrades`, { event: 'upgrade-begun' });
    try {
      return await this.#run(logger);
    } catch (error) {
      logger.error(messageOf(error), { event: 'upgrade-failed', code: codeOf(error) });
      throw error;
    }
  }

  async #run(logger: Logger): Promise<Upgraded> {
    const server = this.#server;
    if (server === undefined) throw refused('it is still starting');
    if (this.#isUnderWay) throw refused('another upgrade is under way, or done');
    // Its end would end the container, and the new process with it.
    if (process.pid === 1) throw refused('it is process 1 of a container: start a new container');
    // systemd takes the end of this process for the end of the service, unless it is notified of another one.
    const { SYSTEMD_EXEC_PID: started, NOTIFY_SOCKET: socket } = process.env;
    if (Number(started) === process.pid && socket === undefined) {
      throw refused('its unit needs Type=notify and NotifyAccess=all');
    }
    this.#isUnderWay = true;
    try {
      const { signal } = this.#abort;
      const { roles, ...upgraded } = await startSuccessor(server, logger, signal);
      const { pid, seconds } = upgraded;
      const line = `upgraded: pid ${pid} serves after ${seconds.toFixed(3)} s; closes connections`;
      logger.info(line, { event: 'upgrade-done', seconds });
      this.#onLeave();
      // Behind the answer to who has asked.
      setImmediate(() => {
        server.leave(roles).catch((error: unknown) => {
          logger.error(messageOf(error), { event: 'upgrade-failed', code: codeOf(error) });
        });
      });
      return upgraded;
    } catch (error) {
      this.#isUnderWay = false;
      throw error;
    }
  }
}

function refused(why: string): GoromdbError {
  return new GoromdbError('UPGRADE_FAILED', `pid ${process.pid} is not upgraded: ${why}`);
}
