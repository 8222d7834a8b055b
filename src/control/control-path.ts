import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** Name of the control socket in a base folder. */
export const SOCKET_NAME = 'control.sock';
/** `sun_path` of Linux has 108 bytes, the last of them zero (unix(7)). */
const PATH_BYTES_MAX = 107;

/** A path of the control socket that the system takes, and what keeps it good. */
export interface ControlPath {
  /** Where the socket is, for people. */
  readonly shown: string;
  /** The same place, in a form that is short enough. */
  readonly path: string;
  /** Ends what keeps `path` good. */
  close(): void;
}

/**
 * Where the control socket of a base folder is. Folders may lie deeper than the path of a socket
 * may be long; Linux knows an open folder under a short path also.
 */
export function controlPath(baseDir: string): ControlPath {
  const shown = join(baseDir, SOCKET_NAME);
  const isShort = Buffer.byteLength(shown) <= PATH_BYTES_MAX;
  if (isShort || process.platform !== 'linux') return { shown, path: shown, close: () => {} };
  const fd = openSync(baseDir, constants.O_RDONLY | constants.O_DIRECTORY);
  return { shown, path: `/proc/self/fd/${fd}/${SOCKET_NAME}`, close: () => closeSync(fd) };
}
