import type { IncomingMessage } from 'node:http';
import { Gathered } from '../gathered.ts';
import { HeldBytes } from '../held-bytes.ts';
import { type Answer, faultOf } from './answers.ts';

/** Bytes of all bodies that are being read, or answered. */
const BODIES_BYTES_MAX = 256 * 1024 * 1024;

const bodies = new HeldBytes(BODIES_BYTES_MAX);

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
  const body = new Gathered();
  const holder = { cut: () => void request.destroy() };
  try {
    // Else a body that is too large would end before the answer is out.
    const pieces = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    for await (const piece of pieces) {
      if (body.length + piece.length > bytesMax) return tooLarge(bytesMax);
      body.append(piece);
      bodies.note(holder, body.length);
    }
    return await run(body.bytes);
  } finally {
    bodies.note(holder, 0);
  }
}

function tooLarge(bytesMax: number): Answer {
  const message = `expected a body of at most ${bytesMax} bytes, found more: nothing was created`;
  return faultOf(413, 'TOO_LARGE', message);
}
