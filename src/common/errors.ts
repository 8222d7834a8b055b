/**
 * What belongs in this folder: leaf helpers that know nothing of goromdb: errors, log, addresses,
 * files, quantities.
 */

/** Codes of all errors that this package throws or logs. Messages may change, codes do not. */
export type ErrorCode =
  | 'ADDRESS_INVALID'
  | 'ADDRESS_UNAVAILABLE'
  | 'FOLDER_UNUSABLE'
  | 'FOLDER_IN_USE'
  | 'OPTION_INVALID'
  | 'FILE_UNREADABLE'
  | 'FILE_CHANGED'
  | 'SUM_MISMATCH'
  | 'SUM_INVALID'
  | 'SUM_MISSING'
  | 'FORMAT_UNKNOWN'
  | 'FORMAT_UNSUPPORTED'
  | 'DATA_CORRUPT'
  | 'LIMIT_EXCEEDED'
  | 'SHARD_MISMATCH'
  | 'OUT_OF_MEMORY'
  | 'DISK_FULL'
  | 'TOO_FEW_KEYS'
  | 'SHRUNK_TOO_MUCH'
  | 'CANARY_MISSING'
  | 'HIT_RATE_DROPPED'
  | 'SCANNER_FAILED'
  | 'LOADER_FAILED'
  | 'ROLLBACK_REFUSED'
  | 'LOAD_FAILED'
  | 'SERVER_FAILED'
  | 'UPGRADE_FAILED';

/** The codes that show a file to be bad: loading it again cannot help, so it is quarantined. */
const BAD_FILE: ReadonlySet<ErrorCode> = new Set([
  'FORMAT_UNKNOWN',
  'FORMAT_UNSUPPORTED',
  'DATA_CORRUPT',
  'LIMIT_EXCEEDED',
  'SHARD_MISMATCH',
]);

/** The codes of a guard: the file is sound, and not what its owner wants. */
export const GUARD_CODES: ReadonlySet<ErrorCode> = new Set([
  'TOO_FEW_KEYS',
  'SHRUNK_TOO_MUCH',
  'CANARY_MISSING',
  'HIT_RATE_DROPPED',
]);

/**
 * An error that a person can act on: the message says what was expected, what was found and what
 * happens now; `code` is for programs; `cause` keeps the error underneath.
 */
export class GoromdbError extends Error {
  override readonly name = 'GoromdbError';
  readonly code: ErrorCode;
  /** The figures that the message speaks of, for programs; undefined where there are none. */
  readonly numbers: Readonly<Record<string, number | string>> | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options?: {
      readonly cause?: unknown;
      readonly numbers?: Readonly<Record<string, number | string>>;
    },
  ) {
    super(message, options);
    this.code = code;
    this.numbers = options?.numbers;
  }
}

/** Whether an error says that the file itself is bad, as against a disk, a permission or a race. */
export function isBadFile(error: unknown): error is GoromdbError {
  return error instanceof GoromdbError && BAD_FILE.has(error.code);
}

/** Whether an error says that its file was changed or replaced. */
export function isChange(error: unknown): boolean {
  return error instanceof GoromdbError && error.code === 'FILE_CHANGED';
}

/** Whether a file must not be loaded: it is bad, or sound and refused by a guard. */
export function mustReject(error: unknown): error is GoromdbError {
  return isBadFile(error) || (error instanceof GoromdbError && GUARD_CODES.has(error.code));
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Message and code of anything that was thrown, as they are logged. */
export function messageWithCode(error: unknown): string {
  const code = error instanceof GoromdbError ? ` (${error.code})` : '';
  return `${messageOf(error)}${code}`;
}

/** The code of anything that was thrown, if it has one of ours. */
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof GoromdbError ? error.code : undefined;
}

/** Of what Node writes about an error that ended a program, the line that names the error. */
export function errorLineIn(text: string): string | undefined {
  return /^\w*Error\b.*$/m.exec(text)?.[0];
}
