import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** Name of the control socket in a base folder. */
export const SOCKET_NAME = 'control.sock';
/** Behind the name while the socket is being made. */
export const NEW_SUFFIX = '.new';
/** `sun_path` of Linux has 108 bytes, the last of them zero (unix(7)). */
const PATH_BYTES_MAX = 107 - NEW_SUFFIX.length;

/** A path of the control socket that the system accepts. */
export interface ControlPath {
  /** The path of the socket, for people. */
  readonly shown: string;
  /** A path to the same socket that is short enough. */
  readonly path: string;
  /** `path` is not valid any more. */
  close(): void;
}

/**
 * The path of the control socket of a base folder. The folder's path may be longer than that of a
 * socket may be; Linux has a second, short path for an open folder.
 */
export function controlPath(baseDir: string): ControlPath {
  const shown = join(baseDir, SOCKET_NAME);
  const isShort = Buffer.byteLength(shown) <= PATH_BYTES_MAX;
  if (isShort || process.platform !== 'linux') return { shown, path: shown, close: () => {} };
  const fd = openSync(baseDir, constants.O_RDONLY | constants.O_DIRECTORY);
  return { shown, path: `/proc/self/fd/${fd}/${SOCKET_NAME}`, close: () => closeSync(fd) };
}
