/** What scanners say of a file that they refuse: its path, and what is wrong with it. */
import { GoromdbError } from '../../common/errors.ts';
import type { ScanInput } from './scanner.ts';

/** It is of another format. */
export function unknown({ path }: ScanInput, expected: string, found: string): GoromdbError {
  return new GoromdbError('FORMAT_UNKNOWN', `${path}: expected ${expected}; found ${found}`);
}

/** It has, or has not, what it is read for. */
export function unsupported({ path }: ScanInput, text: string): GoromdbError {
  return new GoromdbError('FORMAT_UNSUPPORTED', `${path}: ${text}`);
}

/** @param at Byte in the file. */
export function damaged(
  { path }: ScanInput,
  at: number,
  expected: string,
  found: unknown,
): GoromdbError {
  const text = `${path}: byte ${at}: expected ${expected}; found ${found}`;
  return new GoromdbError('DATA_CORRUPT', text);
}
