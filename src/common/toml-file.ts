import { readFileSync, statSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { GoromdbError, messageOf } from './errors.ts';
import { explained } from './system-fault.ts';

/** Longest file in bytes that is read as TOML. */
const TOML_BYTES_MAX = 1024 * 1024;

/** A file in TOML. */
export interface TomlFile {
  readonly text: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/**
 * Reads a file that people write.
 *
 * @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID, with the file and, of a mistake in it, the line.
 */
export function readToml(path: string): TomlFile {
  const text = readText(path);
  try {
    return { text, values: parse(text) };
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    // The first line says what is wrong; a drawing of the place follows.
    const [what] = cause.message.split('\n');
    throw new GoromdbError('OPTION_INVALID', `${path}:${cause.line}:${cause.column}: ${what}`, {
      cause,
    });
  }
}

function readText(path: string): string {
  try {
    const found = statSync(path);
    // Anything else may have no end.
    if (!found.isFile()) throw new Error('expected a regular file, found something else');
    // TOML is UTF-8; other bytes would become another path.
    const utf8 = new TextDecoder('utf-8', { fatal: true });
    if (found.size <= TOML_BYTES_MAX) return utf8.decode(readFileSync(path));
  } catch (cause) {
    const why = messageOf(explained(cause, path));
    throw new GoromdbError('FILE_UNREADABLE', `cannot read ${path}: ${why}`, { cause });
  }
  const message = `${path}: expected at most ${TOML_BYTES_MAX} bytes, found more`;
  throw new GoromdbError('OPTION_INVALID', message);
}

export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
