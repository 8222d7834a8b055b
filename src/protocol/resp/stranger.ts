import type { Client } from './client.ts';

/** Arguments, and bytes of a request, that a client may send which has not logged in. */
const STRANGER_ARGS_MAX = 10;
const STRANGER_BYTES_MAX = 16 * 1024;

/** Who has not logged in cannot make the server keep much (Redis' limits). */
export function faultOfStranger(
  { isKnown }: Client,
  argc: number,
  inputBytes: number,
): string | undefined {
  if (isKnown) return undefined;
  if (argc > STRANGER_ARGS_MAX) return 'unauthenticated multibulk length';
  return inputBytes > STRANGER_BYTES_MAX ? 'unauthenticated bulk length' : undefined;
}
