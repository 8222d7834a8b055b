import type { IncomingMessage } from 'node:http';
import { GoromdbError } from '../common/errors.ts';
import { BODY_BYTES_MAX } from './limits.ts';

/**
 * Reads the body of a request, which says nothing: parameters are in the URL.
 *
 * @throws GoromdbError LIMIT_EXCEEDED.
 */
export async function bodyOf(request: IncomingMessage): Promise<void> {
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > BODY_BYTES_MAX) {
      const message = `expected a body of at most ${BODY_BYTES_MAX} bytes, found more`;
      throw new GoromdbError('LIMIT_EXCEEDED', message);
    }
  }
}
