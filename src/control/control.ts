/**
 * What belongs in this folder: locks a base folder, and answers `goromdb status` and `goromdb
 * rollback`.
 */
import { chmodSync, lstatSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';
import { GoromdbError, messageOf } from '../common/errors.ts';
import type { Logger } from '../common/log.ts';
import { type Answer, findServer, REQUEST_BYTES_MAX, type Request } from './control-client.ts';
import { type ControlPath, controlPath, NEW_SUFFIX } from './control-path.ts';
import { type FolderLock, type Holder, inUse, type LockHandle, lockFolder } from './folder-lock.ts';

/** Only the server's user, who may write to the base folder, and root may roll back. */
const SOCKET_MODE = 0o600;
const UMASK = 0o177;
/** Longest time until a connection has sent its request. */
const REQUEST_MS_MAX = 10_000;
/** Connections at one time. */
const CONNECTIONS_MAX = 64;

/** A command that a running server answers. The result must be plain JSON. */
export type Command = (args: Readonly<Record<string, unknown>>) => Promise<unknown>;

/**
 * Locks a base folder for this process, and answers commands on a socket in it. The socket also shows a
 * server in another network namespace, as in another container.
 */
export class Control {
  readonly #lock: FolderLock;
  readonly #baseDir: string;
  readonly #logger: Logger;
  readonly #commands = new Map<string, Command>();
  readonly #sockets = new Set<net.Socket>();
  #server: net.Server | undefined;
  #path: ControlPath | undefined;

  private constructor(lock: FolderLock, baseDir: string, logger: Logger) {
    this.#lock = lock;
    this.#baseDir = baseDir;
    this.#logger = logger;
  }

  /**
   * @param baseDir Must be there.
   * @param inherited The locks of a process that this one takes over from. With the lock of this folder
   *   among them that process answers commands until `open`.
   * @throws GoromdbError FOLDER_IN_USE when another server has it. A folder in which no socket can
   *   be made is a warning.
   */
  static async take(
    baseDir: string,
    logger: Logger,
    inherited: readonly LockHandle[] = [],
  ): Promise<Control> {
    const control = new Control(await lockFolder(baseDir, inherited), baseDir, logger);
    const name = control.lock?.name;
    if (inherited.some((lock) => lock.name === name)) return control;
    try {
      const other = await findServer(baseDir);
      if (other !== undefined) throw inUse(baseDir, other);
      await control.open();
      return control;
    } catch (error) {
      await control.close();
      throw error;
    }
  }

  get holder(): Holder {
    return this.#lock.holder;
  }

  /** The lock, for a process that takes over. */
  get lock(): LockHandle | undefined {
    return this.#lock.handle;
  }

  /** From now on, a command of this name is answered. */
  answer(name: string, command: Command): void {
    this.#commands.set(name, command);
  }

  async close(): Promise<void> {
    if (this.#server !== undefined && this.#path !== undefined) {
      rmSync(this.#path.path, { force: true });
    }
    this.#stop();
    for (const socket of this.#sockets) socket.destroy();
    await this.#lock.release();
  }

  /** Another process answers on a socket of its own: who has asked here already is still answered. */
  async handOver(): Promise<void> {
    this.#stop();
    await this.#lock.release();
  }

  #stop(): void {
    this.#server?.close();
    this.#server = undefined;
    this.#path?.close();
    this.#path = undefined;
  }

  /** Answers commands from now on: in the place of a socket that this process or another one made. */
  async open(): Promise<void> {
    this.#stop();
    const server = net.createServer((socket) => this.#serve(socket));
    server.maxConnections = CONNECTIONS_MAX;
    try {
      const made = controlPath(this.#baseDir);
      this.#path = made;
      checkName(made.path);
      // A listener removes its file when it closes, whoever has made it by then: not by this name.
      const own = made.path + NEW_SUFFIX;
      rmSync(own, { force: true });
      await bind(server, own);
      // Only where it must be: the name may lead elsewhere by now.
      if (!isMainThread) chmodSync(own, SOCKET_MODE);
      renameSync(own, made.path);
      server.unref();
      this.#server = server;
    } catch (error) {
      server.close();
      this.#path?.close();
      this.#path = undefined;
      this.#logger.warn(
        `there is no control socket in ${this.#baseDir} (${messageOf(error)}): goromdb status and ` +
          'goromdb rollback cannot reach this server; all else works',
        { event: 'control-failed', path: this.#baseDir },
      );
    }
  }

  #serve(socket: net.Socket): void {
    let text = '';
    let isRequested = false;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(REQUEST_MS_MAX, () => socket.destroy());
    socket.write(`${JSON.stringify(this.holder)}\n`);
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      const end = text.indexOf('\n');
      if (isRequested || (end === -1 && text.length <= REQUEST_BYTES_MAX)) return;
      isRequested = true;
      // A command may take longer.
      socket.setTimeout(0);
      void this.#answer(text.slice(0, end)).then((answer) => {
        socket.setTimeout(REQUEST_MS_MAX);
        socket.end(`${JSON.stringify(answer)}\n`);
      });
    });
  }

  async #answer(line: string): Promise<Answer> {
    try {
      const { command, args = {} } = JSON.parse(line) as Request;
      const run = this.#commands.get(command);
      if (run === undefined) {
        const message = `the server does not know the command ${JSON.stringify(command)}, or is still starting`;
        return { ok: false, code: 'OPTION_INVALID', message };
      }
      return { ok: true, result: await run(args) };
    } catch (error) {
      const code = error instanceof GoromdbError ? error.code : 'SERVER_FAILED';
      return { ok: false, code, message: messageOf(error) };
    }
  }
}

/** Nobody has answered there: a socket is what a killed process left behind. */
function checkName(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isSocket()) return;
  throw new Error('something that is no socket has its name');
}

/** The mode is right from the first moment on in a main thread: others have no umask. */
function bind(server: net.Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const before = isMainThread ? process.umask(UMASK) : undefined;
    server.listen(path, resolve);
    if (before !== undefined) process.umask(before);
  });
}
