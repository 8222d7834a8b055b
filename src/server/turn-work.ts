/**
 * Input that counts as a unit of work, so that 64 KiB end the turn. libuv reads up to 32 times in a
 * row from a socket that fills the buffer each time: beside 200 clients that send 1.3 MB of small
 * commands each, another one waited up to 786 ms for a reply in place of 166 (2026-11-21).
 */
export const INPUT_BYTES_A_UNIT = 64;

/**
 * Output that counts as a unit of work. A client that reads as fast as we write would otherwise keep
 * the thread to itself.
 */
export const OUTPUT_BYTES_A_UNIT = 1024;
