import type { IncomingMessage } from 'node:http';

/** Bytes that are thrown away behind an answer: four of the largest bodies. */
const DISCARDED_BYTES_MAX = 32 * 1024 * 1024;
const DISCARD_MS_MAX = 2_000;
/**
 * Bodies that are thrown away at one time: of more, the connections are closed at once. While 200 clients poured,
 * another one waited for up to 1.8 s without this bound, and up to 0.1 s with it (2026-11-29).
 */
export const DISCARDS_MAX = 32;

let discards = 0;

/** Whether there is a body of which not all was read. */
export function hasUnread({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false;
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers;
  return length !== '0' || encoding !== undefined;
}

/**
 * Reads what is left of a body, and throws it away. A connection that is closed before its input was read
 * is reset, and clients that send first and read then lose the answer: Python's http.client did so for
 * each body of 4 MB, and fetch for most (2026-11-29).
 *
 * @param over Called when it has ended, or has brought too much, or takes too long.
 */
export function discardBody(request: IncomingMessage, over: () => void): void {
  if (discards >= DISCARDS_MAX) {
    over();
    return;
  }
  discards++;
  let bytes = 0;
  const count = (piece: Buffer): void => {
    bytes += piece.length;
    if (bytes > DISCARDED_BYTES_MAX) end();
  };
  const end = (): void => {
    discards--;
    clearTimeout(timer);
    request.off('data', count).off('end', end).off('close', end).pause();
    over();
  };
  const timer = setTimeout(end, DISCARD_MS_MAX);
  request.on('data', count).once('end', end).once('close', end).resume();
}
