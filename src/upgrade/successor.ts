import { type ChildProcess, execFile, spawn } from 'node:child_process';
import process from 'node:process';
import { errorLineIn, GoromdbError, messageOf } from '../common/errors.ts';
import { type Logger, oneLine } from '../common/log.ts';
import {
  HANDOVER_VARIABLE,
  type Inherited,
  type NewSays,
  type OldSays,
  packHandover,
  type SocketRole,
} from './upgrade.ts';

/** How long a new process may take to read its command line, or to say its version. */
const CHECK_MS_MAX = 30_000;
/** How long it may take to map the data, which may have to be made anew from the files. */
const READY_MS_MAX = 600_000;
/** What follows the standard streams and the channel of `spawn`. */
const FIRST_FD = 4;
/** Of what a build that does not start writes, so much is shown. */
const COMPLAINT_CHARS_MAX = 500;

/** A server that is to be handed over. */
export interface Outgoing {
  /** What the new process goes on with. */
  readonly handedOver: Inherited;
  /** Writes nothing to its folders any more. */
  pause(): Promise<void>;
  /** The new process has ended: all is as before. */
  resume(): Promise<void>;
}

/** A new process that has taken over. */
export interface Successor {
  readonly pid: number;
  readonly version: string;
  readonly seconds: number;
  /** The sockets that it goes on with. */
  readonly roles: readonly SocketRole[];
}

/** How this process was started, and so the new one: its program as it is on disk by now. */
interface Program {
  readonly file: string;
  readonly args: readonly string[];
}

function thisProgram(): Program {
  const [, script = '', ...args] = process.argv;
  return { file: process.execPath, args: [...process.execArgv, script, ...args] };
}

/**
 * Starts a new process and hands the server over to it: see upgrade.ts.
 *
 * @param signal Ends the new process, as long as it has not taken over.
 * @throws GoromdbError UPGRADE_FAILED with the reason; then all is as before.
 */
export async function startSuccessor(
  server: Outgoing,
  logger: Logger,
  signal: AbortSignal,
): Promise<Successor> {
  const startMs = performance.now();
  const version = await versionOnDisk();
  const conversation = new Conversation(start(server.handedOver), signal);
  const { pid } = conversation;
  logger.info(`upgrade: ${version} starts as pid ${pid}`, { event: 'upgrade-starting' });
  let isPaused = false;
  try {
    await conversation.hear('checked', CHECK_MS_MAX);
    isPaused = true;
    await server.pause();
    conversation.say('go');
    await conversation.hear('ready', READY_MS_MAX);
    conversation.say('yours');
    const { roles = [] } = await conversation.hear('taken', READY_MS_MAX);
    return { pid, version, seconds: (performance.now() - startMs) / 1000, roles };
  } catch (error) {
    // Not before it has ended: only one process writes to the folders.
    await conversation.end();
    if (isPaused) await server.resume();
    throw error;
  }
}

/** @throws GoromdbError UPGRADE_FAILED when the program on disk does not even say its version. */
function versionOnDisk(): Promise<string> {
  const { file } = thisProgram();
  const args = [...process.execArgv, process.argv[1], '-version'];
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout: CHECK_MS_MAX }, (error, stdout, stderr) => {
      if (error === null) {
        resolve(oneLine(stdout.trim()).slice(0, COMPLAINT_CHARS_MAX));
        return;
      }
      const said = oneLine(errorLineIn(stderr) ?? (stderr.trim() || messageOf(error)));
      reject(failed(`${process.argv[1]} does not start: ${said.slice(-COMPLAINT_CHARS_MAX)}`));
    });
  });
}

function start(handedOver: Inherited): ChildProcess {
  const { file, args } = thisProgram();
  const { fds, text } = packHandover(handedOver, FIRST_FD);
  // Its pid is another one: what is meant for this process is not for it.
  const { WATCHDOG_PID: _, ...env } = process.env;
  return spawn(file, args, {
    env: { ...env, [HANDOVER_VARIABLE]: text },
    stdio: ['inherit', 'inherit', 'inherit', 'ipc', ...fds],
  });
}

/** What is said between this process and the new one. */
class Conversation {
  readonly #child: ChildProcess;
  readonly #heard: NewSays[] = [];
  #fault: GoromdbError | undefined;
  #hasEnded = false;
  #wake = (): void => {};

  constructor(child: ChildProcess, signal: AbortSignal) {
    this.#child = child;
    child.on('message', (news) => {
      const said = news as NewSays;
      if (said.kind === 'failed') this.#fail(said.message);
      else this.#heard.push(said);
      this.#wake();
    });
    child.on('error', (error) => this.#fail(messageOf(error)));
    child.on('exit', (code, by) => {
      this.#hasEnded = true;
      const fail = (): void =>
        this.#fail(`it has ended (${by ?? `code ${code}`}) before it was ready: see the log`);
      // What it has said before is still to be read.
      if (child.connected) child.once('disconnect', fail);
      else fail();
    });
    const abort = (): void => this.#fail('this process ends');
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  say(kind: OldSays['kind']): void {
    // That it is gone is reported by its end.
    this.#child.send({ kind } satisfies OldSays, () => {});
  }

  /** Waits until the new process says something. @throws GoromdbError UPGRADE_FAILED. */
  async hear<Kind extends NewSays['kind']>(
    kind: Kind,
    timeoutMs: number,
  ): Promise<{ readonly roles?: readonly SocketRole[] }> {
    const timer = setTimeout(() => {
      this.#fail(`it was not "${kind}" within ${timeoutMs / 1000} s`);
    }, timeoutMs);
    try {
      for (;;) {
        const said = this.#heard.find((one) => one.kind === kind);
        if (said !== undefined) return said.kind === 'taken' ? said : {};
        if (this.#fault !== undefined) throw this.#fault;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when it has ended. */
  async end(): Promise<void> {
    if (this.#hasEnded || this.#child.pid === undefined) return;
    const isOver = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await isOver;
  }

  /** The first reason is the one that counts. */
  #fail(reason: string): void {
    this.#fault ??= failed(`the new process: ${oneLine(reason)}`);
    this.#wake();
  }
}

function failed(reason: string): GoromdbError {
  return new GoromdbError(
    'UPGRADE_FAILED',
    `not upgraded: ${reason}; pid ${process.pid} keeps serving`,
  );
}
