/** Base64 (RFC 4648 section 4), as a string of JSON holds bytes that are no text. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PADDING = 0x3d;

/** What a byte stands for; 64: nothing. */
const SEXTETS = new Uint8Array(256).fill(64);
for (const [sextet, letter] of [...ALPHABET].entries()) SEXTETS[letter.charCodeAt(0)] = sextet;

/**
 * Decodes bytes[0, length) in place.
 *
 * @returns How many bytes it stands for; -1 when it is no base64 with its padding.
 */
export function decodeBase64(bytes: Uint8Array, length: number): number {
  if (length % 4 !== 0) return -1;
  let padding = 0;
  while (padding < 2 && length > 0 && bytes[length - 1 - padding] === PADDING) padding++;
  bytes.fill(0x41, length - padding, length);
  let wrong = 0;
  let to = 0;
  for (let at = 0; at < length; at += 4) {
    const [a, b] = [SEXTETS[bytes[at]], SEXTETS[bytes[at + 1]]];
    const [c, d] = [SEXTETS[bytes[at + 2]], SEXTETS[bytes[at + 3]]];
    wrong |= a | b | c | d;
    bytes[to++] = (a << 2) | (b >> 4);
    bytes[to++] = (b << 4) | (c >> 2);
    bytes[to++] = (c << 6) | d;
  }
  return (wrong & 64) === 0 ? to - padding : -1;
}
