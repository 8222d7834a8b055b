import type { ServerResponse } from 'node:http';

/** Bytes of all values that are being sent. */
const BYTES_MAX = 256 * 1024 * 1024;

/** The memory of the value that each answer sends, the first answer first. */
const answers = new Map<ServerResponse, ArrayBufferLike>();
/** How many answers send it: many may send one value of the cache, which takes its memory once. */
const senders = new Map<ArrayBufferLike, number>();
let bytes = 0;

/**
 * Counts an answer until it is sent. When all values that are being sent take too much memory, those
 * are cut whose clients have been reading the longest.
 */
export function holdAnswer(response: ServerResponse, { buffer }: Buffer): void {
  answers.set(response, buffer);
  const before = senders.get(buffer) ?? 0;
  senders.set(buffer, before + 1);
  if (before === 0) bytes += buffer.byteLength;
  response.once('close', () => release(response));
  for (const first of answers.keys()) {
    if (bytes <= BYTES_MAX) return;
    release(first);
    first.destroy();
  }
}

function release(response: ServerResponse): void {
  const buffer = answers.get(response);
  if (buffer === undefined) return;
  answers.delete(response);
  const left = senders.get(buffer)! - 1;
  if (left > 0) {
    senders.set(buffer, left);
    return;
  }
  senders.delete(buffer);
  bytes -= buffer.byteLength;
}
