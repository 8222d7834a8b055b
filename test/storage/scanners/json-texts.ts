import { expect } from 'vitest';
import { type ErrorCode, GoromdbError } from '../../../src/common/errors.ts';
import type { JsonReader } from '../../../src/storage/formats/json/json-reader.ts';
import {
  JsonRecords,
  type JsonRecordsOptions,
} from '../../../src/storage/formats/json/json-records.ts';
import type { RecordSink } from '../../../src/storage/scanners/scanner.ts';

export type Pair = [key: string, value: string];

/** Copies what it is lent. Strict: what is not UTF-8 fails the test. */
export function collect(): { sink: RecordSink; pairs: Pair[] } {
  const pairs: Pair[] = [];
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const sink: RecordSink = {
    add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags) {
      if (flags !== 0) throw new Error('JSON has no flags');
      pairs.push([
        decoder.decode(key.subarray(keyStart, keyEnd)),
        decoder.decode(value.subarray(valueStart, valueEnd)),
      ]);
    },
  };
  return { sink, pairs };
}

/**
 * Reads a text in chunks of these sizes, over and over. Every chunk lies in the same memory, as
 * with a real file, at a changing alignment, and is wiped after use.
 */
export function readChunks(
  reader: JsonReader,
  text: string | Uint8Array,
  chunkSizes: readonly number[],
): void {
  const bytes = Buffer.from(text);
  const memory = new Uint8Array(Math.min(bytes.length, Math.max(...chunkSizes)) + 8);
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const part = bytes.subarray(at, at + chunkSizes[turn % chunkSizes.length]);
    const chunk = memory.subarray(turn % 8, (turn % 8) + part.length);
    chunk.set(part);
    reader.write(chunk);
    memory.fill(0x22);
    at += part.length;
  }
  reader.end();
}

/** Reads an object of strings, see `readChunks`. */
export function parse(
  text: string | Uint8Array,
  chunkSizes: readonly number[] = [1 << 20],
  options: Partial<JsonRecordsOptions> = {},
): Pair[] {
  const { sink, pairs } = collect();
  readChunks(new JsonRecords(sink, { path: 'test.json', ...options }), text, chunkSizes);
  return pairs;
}

/** The error that a text is refused with. */
export function refusal(
  text: string | Uint8Array,
  ...rest: [number[]?, Partial<JsonRecordsOptions>?]
): GoromdbError {
  try {
    parse(text, ...rest);
  } catch (error) {
    expect(error).toBeInstanceOf(GoromdbError);
    return error as GoromdbError;
  }
  throw new Error(`not refused: ${text}`);
}

/** Expects one refusal of a text, wherever it is cut into chunks. */
export function expectRefusal(text: string | Uint8Array, code: ErrorCode, message: string): void {
  for (const size of [1, 2, 3, 1000]) {
    const error = refusal(text, [size]);
    expect(error.message).toBe(`test.json: ${message}`);
    expect(error.code).toBe(code);
  }
}

/** The object that JSON.parse makes of the bytes; undefined when it is another value or none. */
export function parsed(bytes: Uint8Array): object | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** As `parsed`, in a map; undefined also when the data set's rules refuse what is in it. */
export function oracle(bytes: Uint8Array): Map<string, string> | undefined {
  const object = parsed(bytes);
  if (object === undefined) return undefined;
  const entries = Object.entries(object);
  const good = entries.every(
    ([key, value]) => typeof value === 'string' && !/\p{Surrogate}/u.test(`${key}\n${value}`),
  );
  return good ? new Map(entries) : undefined;
}
