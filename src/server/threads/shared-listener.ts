import { fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Address } from '../../common/address.ts';
import { type ErrorCode, GoromdbError } from '../../common/errors.ts';
import { openSocket } from '../bound-socket.ts';

export interface HelperRequest {
  readonly address: Address;
  readonly unixMode: number | undefined;
  /** How many descriptors of the socket are wanted. */
  readonly count: number;
  /** Gives the address, for messages. */
  readonly flag?: string | undefined;
  /** The helper was started with a socket; else it binds one. */
  readonly isGiven: boolean;
}

export type HelperAnswer =
  | { readonly kind: 'socket'; readonly address: Address }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

/** One bound socket under several descriptors. */
export interface SharedListener {
  readonly address: Address;
  /** Each is to be closed by whoever listens on it, and by nobody else. */
  readonly fds: readonly number[];
  /** The descriptor that it keeps for itself. */
  readonly own: number;
  /** Makes another descriptor of it, for a thread that comes later. */
  duplicate(): Promise<number>;
  /** Closes the one that it keeps for itself. @param removesFile Whether a UNIX socket's file goes. */
  close(removesFile: boolean): void;
}

/** What to listen on for several threads. */
export interface SharedSocket extends Omit<HelperRequest, 'isGiven'> {
  /** A socket that this process was given; undefined: one is bound. */
  readonly fd?: number | undefined;
}

/**
 * Whether each thread can have a socket of its own at one address, and none need be shared.
 * `reusePort` came with Node 22.12 and 23.1; before, the option is ignored without a word.
 */
export function hasReusePort(): boolean {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const isNew = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
  return isNew && process.platform === 'linux';
}

/** What arrives of a handle that was sent: it is not read from here, only its number is used. */
interface ReceivedHandle {
  readonly fd: number;
  close(): void;
}

/**
 * The handles that have arrived. A handle that is collected or closed takes its descriptor with it,
 * and that belongs to the thread that listens on it.
 */
const received: ReceivedHandle[] = [];

/**
 * Listens for several threads. Threads can listen on one descriptor, but then the first that closes
 * it frees its number, and the next closes whatever has that number by then: closing a server with
 * three threads ended its process now and then. So each gets a descriptor of its own. Node has no
 * `dup`, but sockets that are sent between processes are duplicated: a child process binds one, sends
 * the socket as often as it is needed, and is killed, so that it cleans nothing up. Neither does a
 * server that listens on a descriptor: the file of a UNIX socket stays until `close`.
 *
 * From Node 22.12 on `reusePort` makes this unnecessary for TCP.
 *
 * @throws GoromdbError ADDRESS_UNAVAILABLE.
 */
export async function listenShared(socket: SharedSocket): Promise<SharedListener> {
  const { count, fd } = socket;
  const own = fd === undefined ? undefined : openSocket(fd);
  if (own !== undefined) received.push(own as unknown as ReceivedHandle);
  // From the first one others are made when their threads have gone.
  const wanted = fd === undefined ? count + 1 : count;
  const { address, handles } = await askHelper({ ...socket, count: wanted });
  const [kept, ...others] =
    fd === undefined ? handles : [{ fd, close: () => own?.close() }, ...handles];
  return {
    address,
    fds: others.map((handle) => handle.fd),
    own: kept.fd,
    duplicate: async () => {
      const request = { address, unixMode: undefined, count: 1, fd: kept.fd };
      return (await askHelper(request)).handles[0].fd;
    },
    close: (removesFile) => {
      kept.close();
      // No thread has made the socket's file, so none removes it.
      if (removesFile && address.kind === 'unix') rmSync(address.path, { force: true });
    },
  };
}

async function askHelper({ fd, ...socket }: SharedSocket): Promise<{
  readonly address: Address;
  readonly handles: readonly ReceivedHandle[];
}> {
  const request: HelperRequest = { ...socket, isGiven: fd !== undefined };
  const helper = fork(fileURLToPath(new URL('./listen-helper.js', import.meta.url)), {
    // Without what a debugger or a test runner has put there for its own processes.
    execArgv: [],
    serialization: 'json',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...(fd === undefined ? [] : [fd])],
  });
  const handles: ReceivedHandle[] = [];
  try {
    return await new Promise((resolve, reject) => {
      helper.on('message', (message, handle) => {
        const answer = message as HelperAnswer;
        if (answer.kind === 'failed') {
          reject(new GoromdbError(answer.code, answer.message));
          return;
        }
        const arrived = handle as unknown as ReceivedHandle;
        received.push(arrived);
        handles.push(arrived);
        if (handles.length === request.count) resolve({ address: answer.address, handles });
      });
      helper.once('error', reject);
      helper.once('exit', (code, signal) => {
        const message = `the process that binds for the threads has ended (${signal ?? code})`;
        reject(new GoromdbError('ADDRESS_UNAVAILABLE', message));
      });
      helper.send(request);
    });
  } finally {
    helper.kill('SIGKILL');
  }
}
