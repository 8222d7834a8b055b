/** What runs in the loader worker: files are verified, and tables made of them, one at a time. */
import { closeSync, constants, fstatSync, openSync, rmSync, statfsSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { collectGarbage } from '../collect-garbage.ts';
import { GoromdbError, messageOf, provesFileBad } from '../errors.ts';
import { answerRequests } from '../rpc.ts';
import { KeyCheck } from '../storage/scanners/key-check.ts';
import { type KeyPrefix, NamespaceSink } from '../storage/scanners/namespaces.ts';
import { headOf } from '../storage/table-layout.ts';
import { TableWriter } from '../storage/table-writer.ts';
import { type FileIdentity, identityOf, sameIdentity } from '../watcher/identity.ts';
import { isAbsence } from './folder.ts';
import { Notices } from './notices.ts';
import { giveWay } from './priority.ts';
import { ProgressMemory, type Stage } from './progress.ts';
import { RecordPlaces } from './record-places.ts';
import { createRest } from './rest.ts';
import { repeatsNotice, type ScanRequest, type Source, withSource } from './scan-file.ts';
import { longestValue } from './value-limit.ts';
import { md5Of } from './verify.ts';

/** What to load, and how. */
export interface LoadRequest extends ScanRequest {
  readonly path: string;
  readonly md5: string;
  /** Where to write the table. What is there gives way. */
  readonly tablePath: string;
  /** Whether the work is done in small pieces, with rests between them. */
  readonly rests: boolean;
  /** Stands before all keys; undefined: nothing does. */
  readonly prefix: KeyPrefix | undefined;
  readonly progress: SharedArrayBuffer;
}

/** Seconds that each stage in the worker took. */
export type WorkerSeconds = Partial<Record<Stage, number>>;

export type LoadResult =
  | { readonly kind: 'mismatch'; readonly found: string }
  | { readonly kind: 'changed' }
  | ({ readonly kind: 'table' } & WrittenTable);

/** A table that was written. */
export interface WrittenTable {
  readonly format: string;
  /** Of the file that it was made of. */
  readonly identity: FileIdentity;
  /** See `TableRecord`. */
  readonly headCrc32: number;
  readonly seconds: WorkerSeconds;
  /** What the owner of the file should know, though it is sound. */
  readonly notices: readonly string[];
}

async function load(request: LoadRequest): Promise<LoadResult> {
  const fd = openFile(request.path);
  if (fd === undefined) return { kind: 'changed' };
  try {
    return await loadOpen(request, fd);
  } finally {
    closeSync(fd);
    // The index is of no use any more.
    collectGarbage();
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
    throw new GoromdbError('FILE_UNREADABLE', `cannot open ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

async function loadOpen(request: LoadRequest, fd: number): Promise<LoadResult> {
  const { path, md5 } = request;
  const progress = new ProgressMemory(request.progress);
  const clock = new StageClock();
  const stats = fstatSync(fd, { bigint: true });
  const identity = identityOf(stats);
  checkSize(request, identity);
  const rest = request.rests ? createRest() : undefined;
  const verify = (): string =>
    md5Of(fd, (bytes) => {
      progress.write('verify', bytes);
      rest?.();
    });
  const found = verify();
  if (found !== md5) return { kind: 'mismatch', found };
  clock.end('verify');
  const input = { path, fd, size: Number(identity.size) };
  // A table is no more open than the file that it is made of.
  const mode = Number(stats.mode & 0o666n) | 0o600;
  let isSame = true;
  const verifyAgain = (): void => {
    isSame = verify() === md5;
  };
  try {
    const onUnpacked = (bytes: number): void => progress.write('scan', bytes);
    const written = await withSource(request, input, onUnpacked, async (source) => ({
      ...(await writeTable(request, { source, mode, progress, clock, rest, verifyAgain })),
      format: source.format,
    }));
    // Who has the file open can write to it after its sum was computed: what serves must be what was
    // summed, and not every write shows in the file's times at once.
    if (!isSame || !isUnchanged(fd, identity)) return { kind: 'changed' };
    return { kind: 'table', ...written, identity, seconds: clock.seconds };
  } catch (error) {
    // A file that changes under the scanner can look corrupt without being so.
    if (!isUnchanged(fd, identity) || (provesFileBad(error) && verify() !== md5)) {
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

/** @returns undefined when the folder is gone, which is told when the file is to be moved there. */
function fileSystemBytes(folder: string): number | undefined {
  try {
    const { blocks, bsize } = statfsSync(folder);
    return blocks * bsize;
  } catch {
    return undefined;
  }
}

interface Writing {
  readonly source: Source;
  /** Permission bits of the table's file. */
  readonly mode: number;
  readonly progress: ProgressMemory;
  readonly clock: StageClock;
  readonly rest: (() => void) | undefined;
  /** To be done while the disk is busy. */
  readonly verifyAgain: () => void;
}

async function writeTable(
  { tablePath, prefix }: LoadRequest,
  { source, mode, progress, clock, rest, verifyAgain }: Writing,
): Promise<Pick<WrittenTable, 'headCrc32' | 'notices'>> {
  rmSync(tablePath, { force: true });
  const writer = new TableWriter({ path: tablePath, mode, rest });
  const places = new RecordPlaces();
  const notices = new Notices();
  const check = new KeyCheck(writer);
  const prefixed = prefix && new NamespaceSink(source.input, 'data set', check, prefix);
  try {
    prefixed?.begin(Buffer.from(prefix!.name));
    await source.scan(prefixed ?? check, {
      valueBytesMax: longestValue(),
      onProgress: (bytes) => progress.write('scan', bytes),
      onNotice: (text) => notices.add(text),
      onLocator: (locate) => {
        check.locate = locate;
      },
      onRecord: (offset) => places.add(offset),
    });
    clock.end('scan');
    progress.write('index', source.input.size);
    const layout = await writer.finish(verifyAgain);
    clock.end('index');
    const { repeats } = writer;
    if (repeats !== undefined) notices.add(repeatsNotice(source.input, repeats, places));
    for (const notice of check.notices()) notices.add(notice);
    return { headCrc32: crc32(headOf(layout)), notices: notices.texts };
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

giveWay();
answerRequests(load);
