import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  type FlagTable,
  misuse,
  parseBoolean,
  parseDurationOrZero,
  parseFolderPath,
  valuesOf,
} from './values.ts';

const FLAGS = 'Flags';

/** The flags of the commands that look after a base folder. */
export const ADMIN_FLAGS = {
  basedir: {
    placeholder: 'DIR',
    group: FLAGS,
    help: 'the base folder of the server; without -basedir it has the folder of its -file (required)',
    parse: parseFolderPath,
  },
  json: {
    group: FLAGS,
    help: 'print JSON',
    parse: parseBoolean,
    fallback: 'false',
  },
} as const satisfies FlagTable;

export const ROLLBACK_NOTES = `
A running server loads the other slot and switches to it. Without one, the next
start serves it. To undo a rollback, roll back again.

Exit codes: 0 done, 1 refused or failed, 2 wrong flags.`;

export const STATUS_NOTES = `
Exit codes: 0 a server serves from this folder, 1 that cannot be told, or it is
no base folder, 2 wrong flags, 3 no server runs, 4 a server runs and has no data
to serve, 5 it serves, and the file that it serves from is damaged.`;

/** What to publish, and where. */
export interface PublishOptions {
  /** Absolute path of the new file, which stays as it is. */
  readonly source: string;
  /** The server's `-file`, absolute. */
  readonly file: string;
  /** How long to wait until it serves; 0: not at all. */
  readonly timeoutMs: number;
  /** Override guards. */
  readonly force: boolean;
}

export const PUBLISH_FLAGS = {
  timeout: {
    placeholder: 'DURATION',
    group: FLAGS,
    help: 'how long to wait until the file serves; 0 does not wait',
    parse: parseDurationOrZero,
    fallback: '10m',
  },
  force: {
    group: FLAGS,
    help: 'take it although a guard would refuse it; its sum and its content must be right in any case',
    parse: parseBoolean,
    fallback: 'false',
  },
} as const satisfies FlagTable;

export const PUBLISH_NOTES = `
DROP is the path that the server has as -file.

Exit codes: 0 it serves (or is dropped, with -timeout 0), 1 it could not be
dropped, 2 wrong flags, 3 rejected, 4 no answer in time, 5 another file took its
place.`;

/** @throws GoromdbError when there are not two arguments. */
export function publishOptions(command: Command): PublishOptions {
  const { timeout, force } = valuesOf(command, PUBLISH_FLAGS);
  const { args } = command;
  if (args.length !== 2 || args.includes('')) {
    const found = args.length === 1 ? '1 argument' : `${args.length} arguments`;
    throw misuse(`expected FILE, and DROP, which is the server's -file; found ${found}`);
  }
  return { source: resolve(args[0]), file: resolve(args[1]), timeoutMs: timeout, force };
}
