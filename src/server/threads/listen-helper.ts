/**
 * What runs in a short-lived child process: it binds a socket, or opens the one that it was started
 * with, and hands it over as many times as it is asked to. It does not listen: whom it accepted would
 * be lost with it. See shared-listener.ts.
 */
import type { SendHandle } from 'node:child_process';
import process from 'node:process';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { openSocket } from '../bound-socket.ts';
import { bind } from '../listener.ts';
import type { HelperAnswer, HelperRequest } from './shared-listener.ts';

/** Where `fork` puts what follows the standard streams and its own channel. */
const GIVEN_FD = 4;

function send(answer: HelperAnswer, handle?: unknown): void {
  process.send?.(answer, handle as SendHandle);
}

async function serve({ address, unixMode, count, isGiven, flag }: HelperRequest): Promise<void> {
  try {
    const bound = isGiven
      ? { socket: openSocket(GIVEN_FD), address }
      : await bind(address, unixMode, flag);
    for (let i = 0; i < count; i++) send({ kind: 'socket', address: bound.address }, bound.socket);
  } catch (error) {
    const code = error instanceof GoromdbError ? error.code : 'ADDRESS_UNAVAILABLE';
    send({ kind: 'failed', code, message: messageOf(error) });
  }
}

// Not once: a socket that nobody listens on keeps no process, and this does until it is killed.
process.on('message', (request: HelperRequest) => void serve(request));
