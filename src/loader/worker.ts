/** What runs in the loader worker: files are verified, scanned and indexed, one at a time. */
import { closeSync, constants, fstatSync, openSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { collectGarbage } from '../collect-garbage.ts';
import { GoromdbError, messageOf } from '../errors.ts';
import { answerRequests } from '../rpc.ts';
import { type KeyPrefix, NamespaceSink } from '../storage/scanners/namespaces.ts';
import { VALUE_BYTES_MAX } from '../storage/scanners/scanner.ts';
import { type StorageParts, transferableMemory } from '../storage/table.ts';
import { TableBuilder } from '../storage/table-builder.ts';
import { explained } from '../system-fault.ts';
import { type FileIdentity, identityOf, sameIdentity } from '../watcher/identity.ts';
import { isAbsence } from './folder.ts';
import { isSound, type MapRequest, makeMap } from './make-map.ts';
import { giveWay } from './priority.ts';
import { ProgressMemory, type Stage } from './progress.ts';
import { RecordPlaces } from './record-places.ts';
import { createRest } from './rest.ts';
import { repeatsNotice, type ScanRequest, type Source, withSource } from './scan-file.ts';
import type { MapRecord } from './slot-map.ts';
import { md5Of } from './verify.ts';

/** What to load, and how. */
export interface LoadRequest extends ScanRequest, Omit<MapRequest, keyof ScanRequest> {
  readonly shared: boolean;
  /** Whether the work is done in small pieces, with rests between them. */
  readonly rests: boolean;
  /** Whether it is mapped without a try to hold it in memory. */
  readonly isToMap: boolean;
  /** Stands before all keys; undefined: nothing does. */
  readonly prefix: KeyPrefix | undefined;
  /** What a map of the file is recorded as, if there is one. */
  readonly map: MapRecord | undefined;
  readonly progress: SharedArrayBuffer;
}

/** Seconds that each stage in the worker took. */
export type WorkerSeconds = Partial<Record<Stage, number>>;

export type LoadResult =
  | { readonly kind: 'mismatch'; readonly found: string }
  | { readonly kind: 'changed' }
  | ({
      readonly kind: 'table';
      readonly format: string;
      readonly identity: FileIdentity;
      readonly seconds: WorkerSeconds;
      /** What the owner of the file should know, though it is sound: for the log. */
      readonly notices: readonly string[];
    } & LoadedData);

/** A data set that is ready to serve: in memory, or as a map of a file in the slot. */
export interface LoadedData {
  /** Of a map the path is still to be filled in. */
  readonly table: StorageParts;
  /** Undefined: it is in memory. */
  readonly map: MapRecord | undefined;
  /** Whether the map was made just now. */
  readonly isNewMap: boolean;
}

function mapOf(map: MapRecord, isNewMap: boolean, prefix: KeyPrefix | undefined): LoadedData {
  const { layout, keys, bytes } = map;
  const table = { path: '', layout, keys, bytes };
  if (prefix === undefined) return { table, map, isNewMap };
  return { table: { ...table, prefix: prefix.name + prefix.delimiter }, map, isNewMap };
}

async function load(request: LoadRequest): Promise<LoadResult> {
  const fd = openFile(request.path);
  if (fd === undefined) return { kind: 'changed' };
  try {
    return await loadOpen(request, fd);
  } finally {
    closeSync(fd);
    // When the answer has gone, the table's memory is no longer needed here.
    if (request.shared) setImmediate(collectGarbage);
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

async function loadOpen(request: LoadRequest, fd: number): Promise<LoadResult> {
  const progress = new ProgressMemory(request.progress);
  const clock = new StageClock();
  const identity = identityOf(fstatSync(fd, { bigint: true }));
  checkSize(request, identity);
  const rest = request.rests ? createRest() : undefined;
  const onVerified = (bytes: number): void => {
    progress.write('verify', bytes);
    rest?.();
  };
  const { map } = request;
  if (map !== undefined && isSound(map, dirname(request.path), fd, onVerified)) {
    const seconds = clock.end('verify');
    const { format } = map;
    return {
      kind: 'table',
      ...mapOf(map, false, request.prefix),
      format,
      identity,
      seconds,
      notices: [],
    };
  }
  const found = md5Of(fd, onVerified);
  if (found !== request.md5) return { kind: 'mismatch', found };
  clock.end('verify');
  const input = { path: request.path, fd, size: Number(identity.size) };
  try {
    const onUnpacked = (bytes: number): void => progress.write('scan', bytes);
    const loaded = await withSource(request, input, onUnpacked, async (source) => ({
      ...(await loadSource(request, source, progress, clock)),
      format: source.format,
    }));
    if (!isUnchanged(fd, identity)) return { kind: 'changed' };
    return { kind: 'table', ...loaded, identity, seconds: clock.seconds };
  } catch (error) {
    // A file that changes under the scanner can look corrupt without being so.
    if (!isUnchanged(fd, identity)) return { kind: 'changed' };
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

/** What was loaded, and what its owner should know. */
interface LoadedSource extends LoadedData {
  readonly notices: readonly string[];
}

/** Into memory if it fits there, and as a map if not. */
async function loadSource(
  request: LoadRequest,
  source: Source,
  progress: ProgressMemory,
  clock: StageClock,
): Promise<LoadedSource> {
  const { bytesMax, isToMap } = request;
  if (bytesMax > 0 && !isToMap) {
    try {
      return await loadTable(request, source, progress, clock);
    } catch (error) {
      if (!isTooLarge(error) || bytesMax === Number.POSITIVE_INFINITY) throw error;
    }
  }
  // The memory of the table is of no use any more.
  collectGarbage();
  const onProgress = (bytes: number): void => progress.write('map', bytes);
  const { map, notices } = await makeMap(request, source, onProgress);
  clock.end('map');
  return { ...mapOf(map, true, request.prefix), notices };
}

async function loadTable(
  { shared, bytesMax, rests, prefix }: LoadRequest,
  source: Source,
  progress: ProgressMemory,
  clock: StageClock,
): Promise<LoadedSource> {
  const rest = rests ? createRest() : undefined;
  const builder = new TableBuilder({ shared, bytesMax, rest });
  const places = new RecordPlaces();
  const notices: string[] = [];
  const onNotice = (text: string): void => void notices.push(text);
  const prefixed = prefix && new NamespaceSink(source.input, 'data set', builder, prefix, onNotice);
  prefixed?.begin(Buffer.from(prefix!.name));
  await source.scan(prefixed ?? builder, {
    valueBytesMax: Math.min(VALUE_BYTES_MAX, bytesMax),
    onProgress: (bytes) => progress.write('scan', bytes),
    onNotice,
    onRecord: (offset) => places.add(offset),
  });
  prefixed?.end();
  clock.end('scan');
  progress.write('index', source.input.size);
  const table = builder.build();
  clock.end('index');
  const { repeats } = builder;
  if (repeats !== undefined) notices.push(repeatsNotice(source.input, repeats, places));
  return { table, map: undefined, isNewMap: false, notices };
}

/** Whether a map may hold what memory does not. If it was another limit, it is met again. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof GoromdbError)) return false;
  return error.code === 'LIMIT_EXCEEDED' || error.code === 'OUT_OF_MEMORY';
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
answerRequests(load, (result) => (result.kind === 'table' ? transferableMemory(result.table) : []));
