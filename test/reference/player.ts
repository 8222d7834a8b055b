import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';

/** How long a server may be silent before its reply is taken as lost. */
const SILENCE_MS = 60_000;

/** What a server answered. */
export interface Answered {
  readonly output: Buffer;
  /** Whether it closed the connection of its own accord. */
  readonly isClosed: boolean;
}

/**
 * Sends the same pieces that the other server gets, and collects all that is answered.
 *
 * @param tail What the last reply ends with; undefined when the server is to close.
 * @throws Error when the server falls silent before that.
 */
export async function play(
  port: number,
  pieces: readonly Buffer[],
  tail: string | undefined,
): Promise<Answered> {
  const socket = net.connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  await once(socket, 'connect');
  const chunks: Buffer[] = [];
  let lastBytes = Buffer.alloc(0);
  let isClosed = false;
  const end = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      lastBytes = Buffer.concat([lastBytes, chunk]).subarray(-64);
      if (tail !== undefined && lastBytes.toString('latin1').endsWith(tail)) resolve();
    });
    // A server that closes may reset what it has not read; what it said before is here.
    socket.on('error', () => {});
    socket.on('close', () => {
      isClosed = true;
      resolve();
    });
  });
  await Promise.all([send(socket, pieces), endOrSilence(end, () => chunks)]);
  socket.destroy();
  return { output: Buffer.concat(chunks), isClosed };
}

async function send(socket: net.Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(piece);
    // Gives the kernel the chance to deliver the pieces one by one.
    await turn();
  }
}

async function endOrSilence(end: Promise<void>, chunks: () => readonly Buffer[]): Promise<void> {
  const stop = new AbortController();
  const silence = async (): Promise<never> => {
    for (let seen = -1; seen !== chunks().length; ) {
      seen = chunks().length;
      await sleep(SILENCE_MS, undefined, { signal: stop.signal });
    }
    const output = Buffer.concat(chunks()).toString('latin1');
    throw new Error(`no end of the reply, but ${JSON.stringify(output.slice(-300))}`);
  };
  try {
    await Promise.race([end, silence()]);
  } finally {
    stop.abort();
  }
}
