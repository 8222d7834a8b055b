import { fork, type SendHandle } from 'node:child_process';
import { rmSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Address } from '../../common/address.ts';
import { type ErrorCode, GoromdbError } from '../../common/errors.ts';

export interface HelperRequest {
  readonly address: Address;
  readonly unixMode: number | undefined;
  /** How many descriptors of the socket are wanted. */
  readonly count: number;
}

export type HelperAnswer =
  | { readonly kind: 'socket'; readonly address: Address }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

/** One bound socket under several descriptors. */
export interface SharedListener {
  readonly address: Address;
  /** Each is to be closed by whoever listens on it, and by nobody else. */
  readonly fds: readonly number[];
  /** Makes another descriptor of it, for a thread that comes later. */
  duplicate(): Promise<number>;
  /** Closes the one that it keeps for itself, and removes a UNIX socket's file. */
  close(): void;
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
 * the socket as often as it is needed, and is killed, so that it cleans nothing up.
 *
 * From Node 22.12 on `reusePort` makes this unnecessary.
 *
 * @throws GoromdbError ADDRESS_UNAVAILABLE.
 */
export async function listenShared(request: HelperRequest): Promise<SharedListener> {
  const { address, handles } = await askHelper({ ...request, count: request.count + 1 });
  // From this one others are made when their threads have gone.
  const [own, ...others] = handles;
  return {
    address,
    fds: others.map(({ fd }) => fd),
    duplicate: async () => {
      const [copy] = (await askHelper({ address, unixMode: undefined, count: 1 }, own)).handles;
      return copy.fd;
    },
    close: () => {
      own.close();
      // No thread has made the socket's file, so none removes it.
      if (address.kind === 'unix') rmSync(address.path, { force: true });
    },
  };
}

/** @param socket What to duplicate; undefined: a new one on the address. */
async function askHelper(
  request: HelperRequest,
  socket?: ReceivedHandle,
): Promise<{ readonly address: Address; readonly handles: readonly ReceivedHandle[] }> {
  const helper = fork(fileURLToPath(new URL('./listen-helper.js', import.meta.url)), {
    // Without what a debugger or a test runner has put there for its own processes.
    execArgv: [],
    serialization: 'json',
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
      helper.send(request, socket as unknown as SendHandle);
    });
  } finally {
    helper.kill('SIGKILL');
  }
}
