import process from 'node:process';
import { longestValue } from '../loader/worker/value-limit.ts';
import { JsonLines } from '../storage/formats/json/json-lines.ts';
import type { RecordSink } from '../storage/scanners/scanner.ts';
import { STANDARD_INPUT } from './inputs.ts';
import { type Chunks, utf8Of } from './rows/text.ts';
import { unpackedChunks } from './unpacked.ts';

/** What comes on standard input, unpacked. @param onProgress Called with how many bytes were taken. */
export function standardInput(onProgress: (bytes: number) => void): Chunks {
  return unpackedChunks(STANDARD_INPUT, counted(onProgress));
}

async function* counted(onProgress: (bytes: number) => void): Chunks {
  let bytes = 0;
  for await (const chunk of process.stdin as Chunks) {
    yield chunk;
    bytes += chunk.length;
    onProgress(bytes);
  }
}

/**
 * Reads the records of JSON Lines on standard input, as a file of them is read.
 *
 * @throws GoromdbError DATA_CORRUPT, FORMAT_UNKNOWN, FORMAT_UNSUPPORTED, LIMIT_EXCEEDED.
 */
export async function scanStandardInput(
  sink: RecordSink,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const path = 'standard input';
  const lines = new JsonLines(sink, { path, valueBytesMax: longestValue() });
  for await (const chunk of utf8Of(path, standardInput(onProgress))) lines.write(chunk);
  lines.end();
}
