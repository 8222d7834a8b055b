/**
 * What runs in a short-lived child process: it binds a socket, and hands it over as many times as it
 * is asked to; or it hands back the one that it was sent. It does not listen: whom it accepted would
 * be lost with it. See shared-listener.ts.
 */
import type { SendHandle } from 'node:child_process';
import process from 'node:process';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { bind } from '../listener.ts';
import type { HelperAnswer, HelperRequest } from './shared-listener.ts';

function send(answer: HelperAnswer, handle?: unknown): void {
  process.send?.(answer, handle as SendHandle);
}

async function serve(request: HelperRequest, socket: unknown): Promise<void> {
  const { address, unixMode, count } = request;
  if (socket !== undefined) {
    send({ kind: 'socket', address }, socket);
    return;
  }
  try {
    const bound = await bind(address, unixMode);
    for (let i = 0; i < count; i++) send({ kind: 'socket', address: bound.address }, bound.socket);
  } catch (error) {
    const code = error instanceof GoromdbError ? error.code : 'ADDRESS_UNAVAILABLE';
    send({ kind: 'failed', code, message: messageOf(error) });
  }
}

// Not once: a socket that nobody listens on keeps no process, and this does until it is killed.
process.on('message', (request: HelperRequest, socket: unknown) => void serve(request, socket));
