/** How lines show keys: as text where they are one, and else in base64. */
import { isUtf8 } from 'node:buffer';

/** A key for a program: in `key` when it is UTF-8, in `keyBase64` when it is not. */
export function keyFields(key: Buffer): { readonly key: string } | { readonly keyBase64: string } {
  return isUtf8(key) ? { key: key.toString() } : { keyBase64: key.toString('base64') };
}

/**
 * A key for a person, on one line: control characters, backslashes and bytes that are not UTF-8 are
 * `\x` and two hexadecimal digits.
 */
export function keyText(key: Buffer): string {
  if (isUtf8(key)) {
    return key
      .toString()
      .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\]/gu, (character) => hexOf(Buffer.from(character)));
  }
  return key
    .toString('latin1')
    .replace(/[^ -[\]-~]/g, (byte) => hexOf(Buffer.from(byte, 'latin1')));
}

function hexOf(bytes: Buffer): string {
  return bytes.toString('hex').replace(/../g, '\\x$&');
}
