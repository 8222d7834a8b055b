import { stat } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import process from 'node:process';
import { GoromdbError, messageOf } from '../common/errors.ts';

/** How long the holder of a lock may take to say who it is. It may be stopped, or busy. */
const INTRODUCTION_MS_MAX = 1_000;
/** More than an introduction ever has. */
const INTRODUCTION_BYTES_MAX = 4_096;

/**
 * Connections to the lock at one time: whoever is on the machine may connect, and each takes a
 * descriptor.
 */
const CONNECTIONS_MAX = 16;

/** Who holds a folder. */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When it took the folder, in ISO 8601. */
  readonly since: string;
}

/** A folder that belongs to this process until it lets go of it or ends, however it ends. */
export interface FolderLock {
  readonly holder: Holder;
  release(): Promise<void>;
}

/**
 * Takes a folder for this process alone. The lock is an abstract UNIX socket (unix(7)) that is named
 * after the folder's device and inode: to bind it is one step that only one process can take, no
 * path of the folder leads around it, and the kernel frees it with the process. It has no power over
 * processes in other network namespaces, and other systems than Linux have none: there, only the
 * control socket in the folder says.
 *
 * @param folder Must be there.
 * @throws GoromdbError FOLDER_IN_USE, with who holds it and since when.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const holder = { pid: process.pid, host: os.hostname(), since: new Date().toISOString() };
  if (process.platform !== 'linux') return { holder, release: async () => {} };
  const path = await lockPath(folder);
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    // Closed at once: whoever does not close its side keeps no descriptor, nor holds up the release.
    socket.end(`${JSON.stringify(holder)}\n`, () => socket.destroy());
  });
  server.maxConnections = CONNECTIONS_MAX;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path }, resolve);
    });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') {
      throw new GoromdbError('FOLDER_UNUSABLE', `cannot lock ${folder}: ${messageOf(cause)}`, {
        cause,
      });
    }
    throw inUse(folder, await introduction(path));
  }
  // A lock is no reason for a process to stay.
  server.unref();
  const release = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  return { holder, release };
}

/** Who holds a folder; undefined: nobody, as far as can be seen. @param folder Must be there. */
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
    'stop that one, or choose another folder with -basedir';
  return new GoromdbError('FOLDER_IN_USE', message);
}

/** What stands in the first line that a socket sends; undefined when it is no introduction. */
export function parseHolder(line: string): Holder | undefined {
  try {
    const { pid, host, since } = JSON.parse(line) as Holder;
    if (!Number.isSafeInteger(pid)) return undefined;
    // Whoever is there may say anything, and it is shown to people.
    return { pid, host: String(host).slice(0, 255), since: String(since).slice(0, 40) };
  } catch {
    return undefined;
  }
}

/** Asks who is behind a socket. @returns undefined when nobody says so in time. */
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
