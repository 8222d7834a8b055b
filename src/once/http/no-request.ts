import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type Answer, faultOf } from './answers.ts';

/** What Node says of what it could not read as a request, and what is answered. */
const FAULTS: Readonly<Record<string, readonly [status: number, code: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'TOO_SLOW', 'the request took too long to arrive'],
  HPE_HEADER_OVERFLOW: [431, 'TOO_LARGE', 'the request has too many bytes of headers'],
  HPE_INVALID_URL: [
    ...([400, 'NO_REQUEST'] as const),
    'the path has bytes that stand in no URL: percent-encode the key',
  ],
};
export const NO_REQUEST = 'expected a request of HTTP/1.1';
const OTHERS = [400, 'NO_REQUEST', NO_REQUEST] as const;

/** What Node has said `100 Continue` to. */
const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;

/**
 * What is wrong with the headers of a request, whatever it asks for; undefined: nothing. Node would answer
 * these itself, with no word about what is wrong.
 */
export function headerFault({ httpVersion, headers }: IncomingMessage): Answer | undefined {
  // HTTP/1.0 has neither of the two.
  if (httpVersion !== '1.1') return undefined;
  if (headers.host === undefined) {
    return faultOf(400, 'NO_REQUEST', 'expected a header Host, found none');
  }
  if (headers.expect === undefined || CONTINUE.test(headers.expect)) return undefined;
  return faultOf(417, 'NO_REQUEST', 'expected no Expect but 100-continue');
}

/**
 * Answers what is no request, and ends the connection.
 *
 * @param isAnswering Whether a part of another answer may have been sent: a client would take this one for
 *   more of it.
 */
export function refuseInput(error: Error, socket: Socket, isAnswering: boolean): void {
  if (isAnswering || !socket.writable) {
    socket.destroy();
    return;
  }
  const { code = '', reason } = error as NodeJS.ErrnoException & { readonly reason?: string };
  const [status, name, message] = FAULTS[code] ?? OTHERS;
  const why = status === 400 && reason !== undefined ? `${message} (${reason})` : message;
  const { headers, body } = faultOf(status, name, why);
  const lines = Object.entries({ ...headers, connection: 'close' }).map(
    ([header, value]) => `${header}: ${value}\r\n`,
  );
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  socket.destroySoon();
}
