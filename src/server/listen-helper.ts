/**
 * What runs in a short-lived child process: it listens, and hands the listening socket over as many
 * times as it is asked to; or it hands back the one that it was sent. See shared-listener.ts.
 */
import net from 'node:net';
import process from 'node:process';
import { GoromdbError, messageOf } from '../errors.ts';
import { listen } from './listener.ts';
import type { HelperAnswer, HelperRequest } from './shared-listener.ts';

const server = net.createServer();

function send(answer: HelperAnswer, handle?: unknown): void {
  process.send?.(answer, handle as net.Server);
}

async function serve(request: HelperRequest, socket: unknown): Promise<void> {
  const { address, unixMode, count } = request;
  if (socket !== undefined) {
    send({ kind: 'socket', address }, socket);
    return;
  }
  try {
    const bound = await listen(server, { address, reusePort: false }, unixMode);
    // The bare handle: a net.Server would begin to accept where it arrives.
    const { _handle: handle } = server as unknown as { readonly _handle: unknown };
    for (let i = 0; i < count; i++) send({ kind: 'socket', address: bound! }, handle);
  } catch (error) {
    const code = error instanceof GoromdbError ? error.code : 'ADDRESS_UNAVAILABLE';
    send({ kind: 'failed', code, message: messageOf(error) });
  }
}

process.once('message', (request: HelperRequest, socket: unknown) => void serve(request, socket));
