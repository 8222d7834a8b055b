import { stat } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import process from 'node:process';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { descriptorOf } from '../server/listener.ts';

/** Longest time until the holder of a lock introduces itself: it may be stopped, or busy. */
const INTRODUCTION_MS_MAX = 1_000;
/** Longest introduction. */
const INTRODUCTION_BYTES_MAX = 4_096;

/** Connections to the lock at one time: all users may connect, and each takes a descriptor. */
const CONNECTIONS_MAX = 16;

/** Who holds a folder. */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When it took the folder, in ISO 8601. */
  readonly since: string;
}

/** A folder that belongs to this process until it releases it or ends, however it ends. */
export interface FolderLock {
  readonly holder: Holder;
  /** For a process that takes over: the lock lasts as long as one process has its descriptor. */
  readonly handle: LockHandle | undefined;
  release(): Promise<void>;
}

/** The lock of a folder as a descriptor. */
export interface LockHandle {
  /** Tells the folder from others. */
  readonly name: string;
  readonly fd: number;
}

/**
 * Locks a folder for this process. The lock is an abstract UNIX socket (unix(7)) with the folder's
 * device and inode in its name: only one process can bind it, by whatever path it found the folder, and
 * the kernel frees it when the process ends. It does not bind processes in other network namespaces,
 * and only Linux has such sockets: otherwise the control socket in the folder is the only sign.
 *
 * @param folder Must be there.
 * @param inherited The locks of the process that this one takes over from: one of them may be this.
 * @throws GoromdbError FOLDER_IN_USE, with who holds it and since when.
 */
export async function lockFolder(
  folder: string,
  inherited: readonly LockHandle[] = [],
): Promise<FolderLock> {
  const holder = { pid: process.pid, host: os.hostname(), since: new Date().toISOString() };
  if (process.platform !== 'linux') return { holder, handle: undefined, release: async () => {} };
  const path = await lockPath(folder);
  const name = path.slice(1);
  const given = inherited.find((lock) => lock.name === name);
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    // A peer that does not close its side must take no descriptor and not delay the release.
    socket.end(`${JSON.stringify(holder)}\n`, () => socket.destroy());
  });
  server.maxConnections = CONNECTIONS_MAX;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(given === undefined ? { path } : { fd: given.fd }, resolve);
    });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') {
      throw new GoromdbError('FOLDER_UNUSABLE', `cannot lock ${folder}: ${messageOf(cause)}`, {
        cause,
      });
    }
    throw inUse(folder, await introduction(path));
  }
  // A lock must not keep the process alive.
  server.unref();
  const release = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  const fd = descriptorOf(server);
  return { holder, handle: fd === undefined ? undefined : { name, fd }, release };
}

/** The holder of a folder. @param folder Must be there. @returns undefined: none was found. */
export async function findHolder(folder: string): Promise<Holder | undefined> {
  return process.platform === 'linux' ? introduction(await lockPath(folder)) : undefined;
}

async function lockPath(folder: string): Promise<string> {
  const { dev, ino } = await stat(folder, { bigint: true });
  return `\0goromdb-${dev}-${ino}`;
}

/** The refusal of a folder that another process holds. */
export function inUse(folder: string, holder: Holder | undefined): GoromdbError {
  const who =
    holder === undefined
      ? 'which does not say who it is'
      : `pid ${holder.pid} on ${holder.host}, since ${holder.since}`;
  const message =
    `the base folder ${folder} is in use by another goromdb (${who}): ` +
    'stop that one, or choose another base folder';
  return new GoromdbError('FOLDER_IN_USE', message);
}

/** Reads the first line of a socket. @returns undefined when it is no introduction. */
export function parseHolder(line: string): Holder | undefined {
  try {
    const { pid, host, since } = JSON.parse(line) as Holder;
    if (!Number.isSafeInteger(pid)) return undefined;
    // Any program may have sent this, and people see it.
    return { pid, host: String(host).slice(0, 255), since: String(since).slice(0, 40) };
  } catch {
    return undefined;
  }
}

/** Asks for the holder behind a socket. @returns undefined when there is no answer in time. */
function introduction(path: string): Promise<Holder | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect({ path });
    const finish = (): void => {
      socket.destroy();
      resolve(parseHolder(text));
    };
    socket.setTimeout(INTRODUCTION_MS_MAX, finish);
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      if (text.length > INTRODUCTION_BYTES_MAX) finish();
    });
    socket.on('error', finish).on('end', finish);
  });
}
