/**
 * What belongs in this folder: locks a base folder, and answers `goromdb status` and `goromdb
 * rollback`.
 */
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import net from 'node:net';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';
import { GoromdbError, messageOf } from '../common/errors.ts';
import type { Logger } from '../common/log.ts';
import { type Answer, findServer, REQUEST_BYTES_MAX, type Request } from './control-client.ts';
import { type ControlPath, controlPath } from './control-path.ts';
import { type FolderLock, type Holder, inUse, lockFolder } from './folder-lock.ts';

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
  readonly #commands = new Map<string, Command>();
  readonly #sockets = new Set<net.Socket>();
  #server: net.Server | undefined;
  #path: ControlPath | undefined;

  private constructor(lock: FolderLock) {
    this.#lock = lock;
  }

  /**
   * @param baseDir Must be there. Where no socket can be made in it, a warning is logged.
   * @throws GoromdbError FOLDER_IN_USE when another server has it.
   */
  static async take(baseDir: string, logger: Logger): Promise<Control> {
    const control = new Control(await lockFolder(baseDir));
    try {
      const other = await findServer(baseDir);
      if (other !== undefined) throw inUse(baseDir, other);
      await control.#listen(baseDir, logger);
      return control;
    } catch (error) {
      await control.close();
      throw error;
    }
  }

  get holder(): Holder {
    return this.#lock.holder;
  }

  /** Answers a command of this name from now on. */
  answer(name: string, command: Command): void {
    this.#commands.set(name, command);
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    // This removes the socket's file, too.
    server?.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#path?.close();
    this.#path = undefined;
    await this.#lock.release();
  }

  async #listen(baseDir: string, logger: Logger): Promise<void> {
    const server = net.createServer((socket) => this.#serve(socket));
    server.maxConnections = CONNECTIONS_MAX;
    try {
      this.#path = controlPath(baseDir);
      const { path } = this.#path;
      removeLeftSocket(path);
      await bind(server, path);
      // A main thread has set the umask; here the name might lead elsewhere by now.
      if (!isMainThread) chmodSync(path, SOCKET_MODE);
      server.unref();
      this.#server = server;
    } catch (error) {
      server.close();
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw inUse(baseDir, undefined);
      logger.warn(
        `there is no control socket in ${baseDir} (${messageOf(error)}): goromdb status and ` +
          'goromdb rollback cannot reach this server',
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

/** Removes the socket of a killed process: nobody has answered there. */
function removeLeftSocket(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error('expected a socket or nothing, found something else');
  rmSync(path, { force: true });
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
