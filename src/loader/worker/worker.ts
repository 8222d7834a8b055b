/**
 * What belongs in this folder: reads bytes, in a process of its own: verifies, scans, writes the
 * table.
 *
 * What the loader process does: a file is verified, and a table made of it.
 */
import { closeSync, constants, fstatSync, openSync, rmSync, statfsSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { GoromdbError, isBadFile, messageOf } from '../../common/errors.ts';
import {
  type FileIdentity,
  identityOf,
  isAbsence,
  sameIdentity,
} from '../../common/file-identity.ts';
import { md5Of } from '../../common/md5.ts';
import { explained } from '../../common/system-fault.ts';
import type { ShardPlace } from '../../shards/place.ts';
import { AUTO } from '../../storage/formats/formats.ts';
import { recognise } from '../../storage/formats/recognise.ts';
import { tableScanner } from '../../storage/formats/table.ts';
import type { KeyPrefix } from '../../storage/scanners/namespaces.ts';
import type { ScanInput } from '../../storage/scanners/scanner.ts';
import { headOf } from '../../storage/table/table-layout.ts';
import { TableWriter } from '../../storage/table/table-writer.ts';
import { copyTable } from './copy-table.ts';
import { fillTable } from './fill-table.ts';
import type { OnProgress, Stage } from './progress.ts';
import { type ScanRequest, type Source, withSource } from './scan-file.ts';
import { type ShardRule, shardRule } from './shard-rule.ts';

/** What to load, and how. */
export interface LoadRequest extends ScanRequest {
  readonly path: string;
  readonly md5: string;
  /** Where to write the table. What is there gives way. */
  readonly tablePath: string;
  /** What all keys begin with; undefined: nothing. */
  readonly prefix: KeyPrefix | undefined;
  /** Whose keys it may have; undefined: any. */
  readonly place?: ShardPlace | undefined;
  /** Whether it has those of other shards too, which are left out. */
  readonly isWider?: boolean;
  /** The file as it was seen: another one is not read. */
  readonly expected?: FileIdentity | undefined;
  /** Only the MD5 is asked for; no table is written. */
  readonly isSumEnough?: boolean;
}

/** Seconds that each stage in the worker took. */
type WorkerSeconds = Partial<Record<Stage, number>>;

export type LoadResult =
  | { readonly kind: 'mismatch'; readonly found: string }
  | { readonly kind: 'changed' }
  | { readonly kind: 'verified'; readonly seconds: WorkerSeconds }
  | ({ readonly kind: 'table' } & WrittenTable);

/** A table that was written. */
export interface WrittenTable {
  readonly format: string;
  /** Of the file that it was made of. */
  readonly identity: FileIdentity;
  /** Whether it is the file itself, copied: a slot needs no second one. */
  readonly isCopy: boolean;
  /** See `TableRecord`. */
  readonly headCrc32: number;
  readonly seconds: WorkerSeconds;
  /** What the owner of the file should know, though it is sound. */
  readonly notices: readonly string[];
}

/**
 * @throws GoromdbError with the scanner's code, or FILE_UNREADABLE, DISK_FULL, FOLDER_UNUSABLE,
 *   LIMIT_EXCEEDED, OUT_OF_MEMORY.
 */
export async function load(request: LoadRequest, onProgress: OnProgress): Promise<LoadResult> {
  const fd = openFile(request.path);
  if (fd === undefined) return { kind: 'changed' };
  try {
    return await loadOpen(request, fd, onProgress);
  } finally {
    closeSync(fd);
  }
}

/**
 * O_NONBLOCK: should a FIFO have taken the file's place, opening it must not wait for a writer.
 *
 * @returns undefined when the file has gone since it was seen.
 */
function openFile(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    if (isAbsence(cause)) return undefined;
    throw new GoromdbError(
      'FILE_UNREADABLE',
      `cannot open ${path}: ${messageOf(explained(cause, path))}`,
      {
        cause,
      },
    );
  }
}

/** A file that is being loaded. */
interface Loading {
  readonly request: LoadRequest;
  readonly input: ScanInput;
  readonly identity: FileIdentity;
  /** Permission bits of the table's file: it is no more open than the file that it is made of. */
  readonly mode: number;
  readonly rule: ShardRule | undefined;
  readonly onProgress: OnProgress;
  readonly clock: StageClock;
}

async function loadOpen(
  request: LoadRequest,
  fd: number,
  onProgress: OnProgress,
): Promise<LoadResult> {
  const stats = fstatSync(fd, { bigint: true });
  const identity = identityOf(stats);
  const { expected, isSumEnough = false } = request;
  if (expected !== undefined && !sameIdentity(identity, expected)) return { kind: 'changed' };
  checkSize(request, identity);
  const loading: Loading = {
    ...{ request, identity, mode: Number(stats.mode & 0o666n) | 0o600 },
    rule: request.place && shardRule(request.path, request.place),
    input: { path: request.path, fd, size: Number(identity.size) },
    onProgress,
    clock: new StageClock(),
  };
  if (isSumEnough) return verifyOnly(loading);
  return !request.gzipped && isServedWhole(request, loading.input)
    ? loadTable(loading)
    : loadRecords(loading);
}

/** Whether a file can be served as it is. */
function isServedWhole(
  { scanner, bucket, fields, namespaces, prefix, isWider = false }: LoadRequest,
  input: ScanInput,
): boolean {
  if (isWider) return false;
  const isAsked = scanner === AUTO || scanner === tableScanner.format;
  const isAll = [bucket, fields, namespaces, prefix].every((option) => option === undefined);
  return isAsked && isAll && recognise(input).format === tableScanner;
}

async function loadTable(loading: Loading): Promise<LoadResult> {
  const { request, input, identity, clock } = loading;
  const copied = await copyTable(input, { ...loading, path: request.tablePath, isSummed: true });
  if (copied === undefined) return { kind: 'changed' };
  const { md5, headCrc32, notices } = copied;
  if (md5 !== request.md5) return { kind: 'mismatch', found: md5! };
  if (!isUnchanged(input.fd, identity)) return { kind: 'changed' };
  if (typeof headCrc32 !== 'number') throw headCrc32;
  clock.end('verify');
  const { seconds } = clock;
  return {
    kind: 'table',
    format: tableScanner.format,
    isCopy: true,
    identity,
    headCrc32,
    seconds,
    notices,
  };
}

function verifyOnly(loading: Loading): LoadResult {
  const { request, input, identity, clock } = loading;
  const found = sumOf(loading);
  if (!isUnchanged(input.fd, identity)) return { kind: 'changed' };
  clock.end('verify');
  return found === request.md5
    ? { kind: 'verified', seconds: clock.seconds }
    : { kind: 'mismatch', found };
}

function sumOf({ input, onProgress }: Loading): string {
  return md5Of(input.fd, (bytes) => onProgress('verify', bytes));
}

async function loadRecords(loading: Loading): Promise<LoadResult> {
  const { request, input, identity, onProgress, clock } = loading;
  const { md5 } = request;
  const verify = (): string => sumOf(loading);
  const found = verify();
  if (found !== md5) return { kind: 'mismatch', found };
  clock.end('verify');
  let isSame = true;
  const verifyAgain = (): void => {
    isSame = verify() === md5;
  };
  try {
    const onUnpacked = (bytes: number): void => onProgress('scan', bytes);
    const written = await withSource(request, input, onUnpacked, async (source) => {
      const write = isServedWhole(request, source.input) ? copyUnpacked : writeTable;
      return { ...(await write(loading, source, verifyAgain)), format: source.format };
    });
    // Who has the file open can write to it after its MD5 was computed: what serves must have that
    // MD5, and not every write shows in the file's times at once.
    if (!isSame || !isUnchanged(input.fd, identity)) return { kind: 'changed' };
    return { kind: 'table', ...written, isCopy: false, identity, seconds: clock.seconds };
  } catch (error) {
    // A file that changes under the scanner can look corrupt without being so.
    if (!isUnchanged(input.fd, identity) || (isBadFile(error) && verify() !== md5)) {
      return { kind: 'changed' };
    }
    throw error;
  }
}

/** To hash a file that no disk here holds would keep the next one waiting for hours. */
function checkSize({ path, scratchDir }: LoadRequest, { size }: FileIdentity): void {
  const bytesMax = fileSystemBytes(scratchDir);
  if (bytesMax === undefined || size <= bytesMax) return;
  const message = `${path} is too large: expected at most ${bytesMax} bytes, the size of the file system of ${scratchDir}; found ${size}`;
  throw new GoromdbError('LIMIT_EXCEEDED', message);
}

/** @returns undefined when the folder is gone, which is an error when the file is moved there. */
function fileSystemBytes(folder: string): number | undefined {
  try {
    const { blocks, bsize } = statfsSync(folder);
    return blocks * bsize;
  } catch {
    return undefined;
  }
}

/** Makes the table of a file that decompresses to one. */
async function copyUnpacked(
  loading: Loading,
  { input }: Source,
  verifyAgain: () => void,
): Promise<Pick<WrittenTable, 'headCrc32' | 'notices'>> {
  const { request, onProgress, clock } = loading;
  onProgress('scan', input.size);
  const copied = await copyTable(input, { ...loading, path: request.tablePath, isSummed: false });
  const { headCrc32, notices } = copied!;
  if (typeof headCrc32 !== 'number') throw headCrc32;
  clock.end('scan');
  verifyAgain();
  return { headCrc32, notices };
}

/** @param verifyAgain To be done while the disk is busy. */
async function writeTable(
  { request: { tablePath, prefix, isWider }, mode, rule, onProgress, clock }: Loading,
  source: Source,
  verifyAgain: () => void,
): Promise<Pick<WrittenTable, 'headCrc32' | 'notices'>> {
  rmSync(tablePath, { force: true });
  const writer = new TableWriter({ path: tablePath, mode });
  try {
    const { layout, notices } = await fillTable(writer, source, {
      ...{ prefix, rule: isWider ? undefined : rule?.key },
      keeps: isWider ? rule?.keeps : undefined,
      onProgress: (bytes) => onProgress('scan', bytes),
      onScanned: () => {
        clock.end('scan');
        onProgress('index', source.input.size);
      },
      whileSyncing: verifyAgain,
    });
    clock.end('index');
    return { headCrc32: crc32(headOf(layout)), notices };
  } catch (error) {
    rmSync(tablePath, { force: true });
    throw error;
  } finally {
    writer.close();
  }
}

/** Takes the time of stages that follow on each other. */
class StageClock {
  readonly seconds: WorkerSeconds = {};
  #startMs = performance.now();

  end(stage: Stage): WorkerSeconds {
    const nowMs = performance.now();
    this.seconds[stage] = (nowMs - this.#startMs) / 1000;
    this.#startMs = nowMs;
    return this.seconds;
  }
}

function isUnchanged(fd: number, identity: FileIdentity): boolean {
  return sameIdentity(identityOf(fstatSync(fd, { bigint: true })), identity);
}
