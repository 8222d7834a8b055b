/** What a byte is for; NONE for what is not of the alphabet (RFC 4648, table 1). */
const SEXTETS = new Uint8Array(256).fill(0xff);
const NONE = 0xff;
const PAD = 0x3d;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
for (let i = 0; i < ALPHABET.length; i++) SEXTETS[ALPHABET.charCodeAt(i)] = i;
SEXTETS[PAD] = 0;

/**
 * Decodes base64 as memcached does it for keys: bytes outside the alphabet are skipped, padding is
 * needed, and what follows the first group with padding is not looked at.
 *
 * @param target Has room for three quarters of the text's length.
 * @returns How many bytes were written to `target`; 0 when the text cannot be decoded.
 */
export function decodeBase64(
  text: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
): number {
  let sextets = 0;
  for (let i = start; i < end; i++) if (SEXTETS[text[i]] !== NONE) sextets++;
  if (sextets === 0 || sextets % 4 !== 0) return 0;
  let written = 0;
  let group = 0;
  let count = 0;
  let pads = 0;
  for (let i = start; i < end; i++) {
    const sextet = SEXTETS[text[i]];
    if (sextet === NONE) continue;
    if (text[i] === PAD) pads++;
    group = (group << 6) | sextet;
    count++;
    if (count % 4 !== 0) continue;
    target[written] = (group >> 16) & 0xff;
    target[written + 1] = (group >> 8) & 0xff;
    target[written + 2] = group & 0xff;
    written += 3;
    group = 0;
    if (pads > 2) return 0;
    if (pads > 0) return written - pads;
  }
  return written;
}
