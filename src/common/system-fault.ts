/** Explains errors of the system, and says what to do. */
import { type ErrorCode, GoromdbError } from './errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly text: string;
}

const FULL = { code: 'DISK_FULL', text: 'no space is left: make room on that disk' } as const;
const FORBIDDEN = {
  code: 'FOLDER_UNUSABLE',
  text: 'this user lacks a permission: grant it',
} as const;
const EXHAUSTED = {
  code: 'LOADER_FAILED',
  text: 'too many files are open: raise ulimit -n, or LimitNOFILE=',
} as const;
const ABSENT = {
  code: 'FOLDER_UNUSABLE',
  text: 'it does not exist: create it, or correct the path',
} as const;

const FOLDER_IN_THE_WAY = {
  code: 'FOLDER_UNUSABLE',
  text: 'a folder has the name of a file: remove it',
} as const;

const NOBODY = {
  code: 'ADDRESS_UNAVAILABLE',
  text: 'nothing listens there: start the server, or correct the address',
} as const;

const NO_HOST = {
  code: 'ADDRESS_UNAVAILABLE',
  text: 'no such host is known: correct its name, or look at DNS',
} as const;

/** By the names of errno(3), and of getaddrinfo(3). */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ['ENOSPC', FULL],
  ['EDQUOT', FULL],
  ['EACCES', FORBIDDEN],
  ['EPERM', FORBIDDEN],
  ['EROFS', { code: 'FOLDER_UNUSABLE', text: 'the file system is read-only: mount it writable' }],
  ['EMFILE', EXHAUSTED],
  ['ENFILE', EXHAUSTED],
  ['ENOENT', ABSENT],
  ['ECONNREFUSED', NOBODY],
  ['ENOTFOUND', NO_HOST],
  ['EAI_AGAIN', NO_HOST],
  ['EEXIST', { code: 'FOLDER_UNUSABLE', text: 'something else has its name: remove it' }],
  ['ENOTDIR', { code: 'FOLDER_UNUSABLE', text: 'a file has the name of a folder: remove it' }],
  ['EISDIR', FOLDER_IN_THE_WAY],
  // Node's code for the same, when it removes a file.
  ['ERR_FS_EISDIR', FOLDER_IN_THE_WAY],
  [
    'EBUSY',
    { code: 'FOLDER_UNUSABLE', text: 'it is in use, as a mount point is: mount its folder' },
  ],
  [
    'EIO',
    { code: 'LOADER_FAILED', text: 'the disk has failed: look at it, and at the system log' },
  ],
]);

type SystemError = NodeJS.ErrnoException & {
  readonly dest?: string;
  /** Of a connection; without a port, the path of a UNIX socket. */
  readonly address?: string;
  readonly port?: number;
};

/**
 * Turns an error of the system into one of ours, which says what it means and where it occurred.
 *
 * @param where Named in place of the path when the system names none.
 * @returns The error itself when it is no such error.
 */
export function explained(error: unknown, where: string): unknown {
  if (!(error instanceof Error) || error instanceof GoromdbError) return error;
  const { code = '', syscall, path, dest, address, port } = error as SystemError;
  // A UNIX socket is made by whoever listens on it.
  const meaning = syscall === 'connect' && code === 'ENOENT' ? NOBODY : MEANINGS.get(code);
  if (meaning === undefined || syscall === undefined) return error;
  const place = path ?? (port === undefined ? address : undefined) ?? where;
  const places = dest === undefined ? place : `${place} to ${dest}`;
  const message = `${meaning.text} (${code}: ${syscall} ${places})`;
  return new GoromdbError(meaning.code, message, { cause: error });
}
