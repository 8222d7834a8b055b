import { isBadFile } from '../common/errors.ts';
import { withSource } from '../loader/worker/scan-file.ts';
import { longestValue } from '../loader/worker/value-limit.ts';
import { Glob } from '../protocol/resp/glob.ts';
import { JsonLineWriter } from '../storage/formats/json/json-line-writer.ts';
import { type ReadOptions, scanRequestOf } from './inspect.ts';
import { withOpened } from './opened.ts';

export interface DumpOptions extends ReadOptions {
  /** Whether a line has nothing but the key. */
  readonly keysOnly?: boolean | undefined;
  /** Which keys, as SCAN takes it. At most PATTERN_BYTES_MAX bytes. */
  readonly match?: string | undefined;
}

/**
 * Writes the records of a file or a generation as JSON Lines, in their order. A key that came more than
 * once has a line for each; the last counts. Memory holds the longest record.
 *
 * @param place `FILE`, `BASEDIR`, `BASEDIR@previous` or `BASEDIR@7`.
 * @param write Takes many lines at once; the bytes are lent for the call.
 * @throws GoromdbError as `Scanner.scan` when the file is bad, which may be found behind lines that
 *   were written; FILE_UNREADABLE, FILE_CHANGED; what `write` throws, if it is of the system.
 */
export function dumpFile(
  place: string,
  write: (bytes: Buffer) => void,
  { keysOnly = false, match, ...reading }: DumpOptions = {},
): Promise<void> {
  const { onNotice = () => {} } = reading;
  const glob = match === undefined ? undefined : new Glob(Buffer.from(match));
  const lines = new JsonLineWriter(write);
  return withOpened(place, onNotice, ({ input, isServed }) =>
    withSource(
      scanRequestOf(reading, isServed),
      input,
      () => {},
      async (source) => {
        const sink: Parameters<typeof source.scan>[0] = {
          add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags) {
            if (glob?.matches(key, keyStart, keyEnd) === false) return;
            if (keysOnly) lines.key(key, keyStart, keyEnd);
            else lines.record(key, keyStart, keyEnd, value, valueStart, valueEnd, flags);
          },
        };
        await source.scan(sink, { valueBytesMax: longestValue(), onNotice }).catch((error) => {
          // What came before the fault is told, too.
          if (isBadFile(error)) lines.flush();
          throw error;
        });
        lines.flush();
      },
    ),
  );
}
