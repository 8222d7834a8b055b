/**
 * Numbers of memcached's binary protocol, as in its protocol_binary.h and in the wiki page
 * "BinaryProtocolRevamped".
 */

/** The first byte of a request. */
export const REQUEST_MAGIC = 0x80;

/** The first byte of a response. */
export const RESPONSE_MAGIC = 0x81;

/** Every packet begins with this many bytes. */
export const HEADER_BYTES = 24;

/** Where the fields of a header begin; all numbers are big-endian. */
export const FIELD = {
  opcode: 1,
  keyBytes: 2,
  extrasBytes: 4,
  status: 6,
  bodyBytes: 8,
  opaque: 12,
  cas: 16,
} as const;

/**
 * The body that a request may announce. memcached keeps the length in an int: beyond it, it loses
 * its place in the input, or waits for ever.
 */
export const BODY_BYTES_MAX = 2 ** 31 - 1;

/** The codes of the commands that this server knows. */
export const OPCODE = {
  get: 0x00,
  set: 0x01,
  add: 0x02,
  replace: 0x03,
  delete: 0x04,
  increment: 0x05,
  decrement: 0x06,
  quit: 0x07,
  flush: 0x08,
  getq: 0x09,
  noop: 0x0a,
  version: 0x0b,
  getk: 0x0c,
  getkq: 0x0d,
  append: 0x0e,
  prepend: 0x0f,
  stat: 0x10,
  setq: 0x11,
  addq: 0x12,
  replaceq: 0x13,
  deleteq: 0x14,
  incrementq: 0x15,
  decrementq: 0x16,
  quitq: 0x17,
  flushq: 0x18,
  appendq: 0x19,
  prependq: 0x1a,
  touch: 0x1c,
  gat: 0x1d,
  gatq: 0x1e,
  saslListMechs: 0x20,
  saslAuth: 0x21,
  saslStep: 0x22,
  gatk: 0x23,
  gatkq: 0x24,
} as const;

export const STATUS = {
  success: 0x0000,
  keyNotFound: 0x0001,
  tooLarge: 0x0003,
  invalidArguments: 0x0004,
  notStored: 0x0005,
  unknownCommand: 0x0081,
  notSupported: 0x0083,
  temporaryFailure: 0x0086,
} as const;

/** A status that says what went wrong. */
export type ErrorStatus = Exclude<(typeof STATUS)[keyof typeof STATUS], 0>;

/** The body of an error response, in memcached's words. */
export const ERROR_TEXT: Readonly<Record<ErrorStatus, string>> = {
  [STATUS.keyNotFound]: 'Not found',
  [STATUS.tooLarge]: 'Too large.',
  [STATUS.invalidArguments]: 'Invalid arguments',
  [STATUS.notStored]: 'Not stored.',
  [STATUS.unknownCommand]: 'Unknown command',
  [STATUS.notSupported]: 'Read-only',
  [STATUS.temporaryFailure]: 'Temporary failure',
};
