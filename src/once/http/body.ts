import type { IncomingMessage } from 'node:http';
import { type Answer, faultOf } from './answers.ts';

/** Bytes of all bodies that are being read. */
const BODIES_BYTES_MAX = 256 * 1024 * 1024;

let heldBytes = 0;

/**
 * Reads a body, and runs something with it. All bodies together have a limit, so that many clients which
 * send slowly take no more memory than that.
 *
 * @param bytesMax More is answered with 413, as soon as it is known.
 */
export async function withBody(
  request: IncomingMessage,
  bytesMax: number,
  run: (body: Buffer) => Promise<Answer> | Answer,
): Promise<Answer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > bytesMax) return tooLarge(bytesMax);
  let bytes = 0;
  try {
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) {
      bytes += piece.length;
      heldBytes += piece.length;
      if (bytes > bytesMax) return tooLarge(bytesMax);
      if (heldBytes > BODIES_BYTES_MAX) {
        return faultOf(503, 'UNAVAILABLE', 'too many requests at one time: nothing was created');
      }
      pieces.push(piece);
    }
    return await run(Buffer.concat(pieces));
  } finally {
    heldBytes -= bytes;
  }
}

function tooLarge(bytesMax: number): Answer {
  const message = `expected a body of at most ${bytesMax} bytes, found more: nothing was created`;
  return faultOf(413, 'TOO_LARGE', message);
}
