/** What belongs in this folder: what systemd and this process notify each other of. */
import { execFile } from 'node:child_process';
import process from 'node:process';
import { messageOf } from '../common/errors.ts';
import { type Logger, oneLine } from '../common/log.ts';

/**
 * Node opens no UNIX datagram sockets, so systemd's own program sends them. It takes 4 ms of a processor
 * (2026-11-28), at each message.
 */
const PROGRAM = 'systemd-notify';
/** How long that may take. */
const SEND_MS_MAX = 10_000;
/** Longest text of a status. */
const STATUS_CHARS_MAX = 300;

/** What is said to systemd (sd_notify(3)). */
type Word =
  | 'READY'
  | 'RELOADING'
  | 'STOPPING'
  | 'WATCHDOG'
  | 'STATUS'
  | 'MAINPID'
  | 'MONOTONIC_USEC';

/** Tells systemd how this process is: see sd_notify(3). The unit needs `NotifyAccess=all`. */
export class Systemd {
  readonly #logger: Logger;
  readonly #watchdogMs: number;
  /** What is still to be said: of two that say the same thing, the newer. */
  #words = new Map<Word, string>();
  #sending: Promise<void> | undefined;
  #hasFailed = false;
  #watchdog: NodeJS.Timeout | undefined;

  private constructor(logger: Logger, watchdogMs: number) {
    this.#logger = logger;
    this.#watchdogMs = watchdogMs;
  }

  /** @returns undefined when nobody is to be notified. */
  static find(env: NodeJS.ProcessEnv, logger: Logger): Systemd | undefined {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = env;
    if (socket === undefined || socket === '') return undefined;
    const isMeant = pid === undefined || Number(pid) === process.pid;
    const watchdogMs = isMeant && /^\d{1,15}$/.test(usec ?? '') ? Number(usec) / 1000 : 0;
    return new Systemd(logger, watchdogMs);
  }

  /**
   * It serves.
   *
   * @param isSuccessor Whether systemd knows another process as the main one.
   * @returns Whether systemd was notified.
   */
  async ready(address: string, isSuccessor: boolean): Promise<boolean> {
    if (this.#watchdogMs > 0) {
      // Twice in the time, as sd_watchdog_enabled(3) has it.
      this.#watchdog ??= setInterval(() => this.#ping(), this.#watchdogMs / 2);
      this.#watchdog.unref();
    }
    await this.#say({
      READY: '1',
      STATUS: `serves on ${address}`,
      ...(this.#watchdogMs > 0 ? { WATCHDOG: '1' } : {}),
      ...(isSuccessor ? { MAINPID: String(process.pid) } : {}),
    });
    return !this.#hasFailed;
  }

  /** It reads files again; `reloaded` follows. */
  reloading(): void {
    const usec = process.hrtime.bigint() / 1000n;
    void this.#say({ RELOADING: '1', MONOTONIC_USEC: String(usec) });
  }

  reloaded(): void {
    void this.#say({ READY: '1' });
  }

  status(text: string): void {
    void this.#say({ STATUS: oneLine(text).slice(0, STATUS_CHARS_MAX) });
  }

  stopping(): void {
    clearInterval(this.#watchdog);
    void this.#say({ STOPPING: '1' });
  }

  /** Another process speaks for the service from now on. */
  leave(): void {
    clearInterval(this.#watchdog);
    this.#words.clear();
    this.#hasFailed = true;
  }

  #ping(): void {
    // This timer has come round: so the main thread does. Serving threads are watched by it.
    void this.#say({ WATCHDOG: '1' });
  }

  /** Resolves when it was said, or could not be. */
  #say(words: Partial<Record<Word, string>>): Promise<void> {
    if (this.#hasFailed) return Promise.resolve();
    // What was ready before it reloads says so again.
    if (words.RELOADING !== undefined) this.#words.delete('READY');
    for (const [word, value] of Object.entries(words)) this.#words.set(word as Word, value);
    this.#sending ??= this.#sendAll();
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    while (this.#words.size > 0) {
      const words = this.#words;
      this.#words = new Map();
      const ready = words.get('READY');
      // systemd waits for a message that it reloads, and then for one that it is ready again.
      if (ready !== undefined && words.has('RELOADING')) {
        words.delete('READY');
        this.#words.set('READY', ready);
      }
      await this.#send([...words].map(([word, value]) => `${word}=${value}`));
    }
    this.#sending = undefined;
  }

  #send(lines: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      execFile(PROGRAM, [...lines], { timeout: SEND_MS_MAX }, (error) => {
        if (error !== null && !this.#hasFailed) {
          this.#hasFailed = true;
          const why = oneLine(messageOf(error));
          this.#logger.warn(
            `systemd cannot be notified (${why}): with Type=notify it ends this server; install systemd-notify, or use Type=exec`,
            { event: 'systemd-failed' },
          );
        }
        resolve();
      });
    });
  }
}
