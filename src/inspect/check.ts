import { basename } from 'node:path';
import { GoromdbError, isBadFile } from '../common/errors.ts';
import { isAbsence } from '../common/file-identity.ts';
import { md5Of } from '../common/md5.ts';
import { excerptOf, parseSumFile, readSumFile } from '../common/sum-file.ts';
import type { Guards } from '../loader/generations/guards.ts';
import { AUTO } from '../storage/formats/formats.ts';
import { jsonLinesScanner } from '../storage/formats/json/json.ts';
import {
  type Packing,
  packedHeadOf,
  recognise,
  recogniseHead,
} from '../storage/formats/recognise.ts';
import { type BadLines, badLines } from './bad-lines.ts';
import { type Comparison, compare } from './compare.ts';
import { type Contents, contentsOf } from './contents.ts';
import type { ReadOptions } from './inspect.ts';
import { type Opened, withOpened } from './opened.ts';
import { tableOf } from './record-table.ts';

export interface CheckOptions extends ReadOptions {
  /** What the file is to be for its owner. */
  readonly guards?: Guards | undefined;
  /** What serves: `FILE`, `BASEDIR`, `BASEDIR@previous` or `BASEDIR@7`. */
  readonly against?: string | undefined;
  /** How many bad records are told. Default: 10. */
  readonly errorsMax?: number | undefined;
  /** How many keys are shown. Default: 5. */
  readonly sampleMax?: number | undefined;
}

/** What a program can tell apart, and a text. */
interface Fault {
  readonly code: string;
  readonly message: string;
}

/** What a server would say of a file. */
export interface CheckReport {
  readonly file: string;
  readonly bytes: number;
  /** `refused`: it is sound, and a guard refuses it. */
  readonly verdict: 'sound' | 'unsound' | 'refused';
  readonly md5: string;
  /** What the sum file says. */
  readonly sum: 'right' | 'wrong' | 'absent' | 'invalid';
  /** Undefined: it is none of these. */
  readonly format?: string | undefined;
  /** How the format was found. */
  readonly formatBy: 'first bytes' | 'storage';
  readonly compression?: Packing | undefined;
  readonly errors: readonly Fault[];
  /** Whether there may be more errors than these. */
  readonly mayBeMore: boolean;
  /** Undefined: it is unsound. */
  readonly contents?: Contents | undefined;
  readonly warnings: readonly string[];
  /** Why a guard refuses it. */
  readonly refusal?: Fault | undefined;
  /** Undefined: it was not asked for. */
  readonly against?: Comparison['against'] | undefined;
}

/**
 * Checks a file as a server would that it is dropped to.
 *
 * @throws GoromdbError FILE_UNREADABLE, FILE_CHANGED, DISK_FULL, OUT_OF_MEMORY, OPTION_INVALID; what is
 *   wrong with the file is in the report.
 */
export function checkFile(path: string, options: CheckOptions = {}): Promise<CheckReport> {
  const { onNotice = () => {}, errorsMax = 10 } = options;
  return withOpened(path, onNotice, async (opened) => {
    const { input, slot } = opened;
    if (slot !== undefined) {
      const message = `${path}: expected a file, found a base folder; a server checks what it has there itself`;
      throw new GoromdbError('OPTION_INVALID', message);
    }
    const md5 = md5Of(input.fd, () => {});
    const sum = await sumFileOf(path, md5);
    const looks = await looksOf(opened, options);
    const head = { file: path, bytes: input.size, verdict: 'sound', md5, sum: sum.kind, ...looks };
    try {
      const found = await tableOf(opened, options, async (table) => {
        const contents = contentsOf(table, input.size, options.sampleMax);
        return { format: table.format, contents, ...(await compare(table, options)) };
      });
      const errors = sum.fault === undefined ? [] : [sum.fault];
      const isRefused = found.refusal !== undefined;
      const verdict = errors.length > 0 ? 'unsound' : isRefused ? 'refused' : 'sound';
      return { ...head, ...found, verdict, errors, mayBeMore: false };
    } catch (error) {
      if (!isBadFile(error)) throw error;
      const bad = await allBad(opened, looks, options, error, errorsMax);
      const errors = [...(sum.fault === undefined ? [] : [sum.fault]), ...bad.errors.map(faultOf)];
      return { ...head, verdict: 'unsound', errors, mayBeMore: bad.mayBeMore, warnings: [] };
    }
  });
}

function faultOf(error: Error): Fault {
  const code = error instanceof GoromdbError ? error.code : 'LOADER_FAILED';
  return { code, message: error.message };
}

interface SumFile {
  readonly kind: CheckReport['sum'];
  readonly fault?: Fault;
}

async function sumFileOf(path: string, md5: string): Promise<SumFile> {
  const sumPath = `${path}.md5`;
  let bytes: Buffer;
  try {
    bytes = await readSumFile(sumPath);
  } catch (error) {
    if (isAbsence(error)) return { kind: 'absent' };
    throw error;
  }
  const expected = parseSumFile(bytes, basename(path));
  if (expected === md5) return { kind: 'right' };
  if (expected === undefined) {
    const message = `${sumPath}: expected the MD5 of ${basename(path)}, found ${excerptOf(bytes, 64)}`;
    return { kind: 'invalid', fault: { code: 'SUM_INVALID', message } };
  }
  const message = `${sumPath} says ${expected}, and the MD5 of the file is ${md5}`;
  return { kind: 'wrong', fault: { code: 'SUM_MISMATCH', message } };
}

type Looks = Pick<CheckReport, 'format' | 'formatBy' | 'compression'>;

async function looksOf({ input }: Opened, { storage = AUTO, fields }: ReadOptions): Promise<Looks> {
  const { packing: compression, format } = recognise(input, fields);
  if (storage !== AUTO) return { format: storage, formatBy: 'storage', compression };
  const found = compression === 'gzip' ? await formatInGzip(input, fields) : format?.format;
  return { format: found, formatBy: 'first bytes', compression };
}

/** What cannot be decompressed is found again when the file is read. */
async function formatInGzip(
  input: Opened['input'],
  fields: ReadOptions['fields'],
): Promise<string | undefined> {
  const head = await packedHeadOf(input).catch(() => undefined);
  return head && recogniseHead(head, { path: input.path, fields }).format?.format;
}

/** All bad records of a format that can go on behind one; else the first error. */
async function allBad(
  { input }: Opened,
  { format, compression }: Looks,
  { fields }: ReadOptions,
  first: Error,
  errorsMax: number,
): Promise<BadLines> {
  const canGoOn = format === jsonLinesScanner.format && compression !== 'zstd';
  if (!canGoOn) return { errors: [first], mayBeMore: true };
  try {
    const bad = await badLines(input, compression === 'gzip', fields, errorsMax);
    if (bad.errors.length > 0) return bad;
  } catch (error) {
    // The gzip data is damaged, say.
    if (!isBadFile(error)) throw error;
  }
  return { errors: [first], mayBeMore: true };
}
