/**
 * What a format of files says about itself: all that goromdb knows of it, but for its scanner's own.
 */
import { unsupported } from './faults.ts';
import { readAt } from './page-file.ts';
import type { FieldOptions, ScanInput, Scanner, ScanOptions } from './scanner.ts';

/** As many bytes as are looked at: magic numbers lie in the first 64, and a record of JSON Lines. */
export const FIRST_BYTES = 64 * 1024;

/** What options can ask for, and not every format has. */
export type Feature = 'buckets' | 'nested buckets' | 'namespaces' | 'fields';

/** What is known of a file besides its first bytes. */
export interface Hints {
  readonly path: string;
  /** The fields that a record is to have, where they are given. */
  readonly fields?: FieldOptions | undefined;
}

export interface Format extends Scanner {
  /** What messages call it, as in `expected LMDB`. */
  readonly title: string;
  /** `stream`: from front to back, as it is decompressed; `pages`: in any order, which takes a file. */
  readonly reading: 'stream' | 'pages';
  readonly has: readonly Feature[];
  /** What it says to whoever asks for buckets or namespaces that it does not have. */
  readonly lack?: string;
  /**
   * Whether a file begins like this format. It verifies nothing: that is for `scan` to do. Of a sound
   * file one format says so. Without it a format is read only where it is asked for by name.
   *
   * @param head The FIRST_BYTES of the file, decompressed, or all of a smaller one.
   */
  recognise?(head: Buffer, hints: Hints): boolean;
}

/** Makes a format that refuses what it does not have, before it reads a file. */
export function createFormat(format: Format): Format {
  return {
    ...format,
    async scan(input, options, sink) {
      const fault = faultOf(format, options);
      if (fault !== undefined) throw unsupported(input, fault);
      await format.scan(input, options, sink);
    },
  };
}

function faultOf(format: Format, { gzipped, bucket, namespaces }: ScanOptions): string | undefined {
  const { title, reading, has } = format;
  if (gzipped && reading === 'pages') return `expected ${title}, uncompressed; found it in gzip`;
  const refuse = (given: string, flag: string): string =>
    `${given} was given but ${lackOf(format)}: remove ${flag}, or drop a file that has them`;
  if (bucket !== undefined && !has.includes('buckets')) {
    return refuse(`-bucket ${JSON.stringify(bucket)}`, '-bucket');
  }
  if (namespaces !== undefined && !has.includes('namespaces')) {
    return refuse('-namespaces', '-namespaces');
  }
  return undefined;
}

export function lackOf({ title, lack = `${title} has none` }: Format): string {
  return lack;
}

/** The FIRST_BYTES of a file, or all of a smaller one. */
export function firstBytesOf(input: ScanInput): Buffer {
  const head = Buffer.alloc(Math.min(FIRST_BYTES, input.size));
  readAt(input, head, 0, head.length, 0);
  return head;
}
