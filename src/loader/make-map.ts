/** For the loader worker: data sets that are larger than memory. */
import { accessSync, closeSync, constants, fsyncSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GoromdbError, messageOf } from '../errors.ts';
import { MAP_KEY_BYTES_MAX } from '../storage/map-format.ts';
import { PLAIN_VALUE_BYTES_MAX } from '../storage/mapped.ts';
import { readLmdbHeader } from '../storage/scanners/lmdb-header.ts';
import { type RecordSink, VALUE_BYTES_MAX } from '../storage/scanners/scanner.ts';
import { explained } from '../system-fault.ts';
import { checkRoom, checkRoomLeft, checkRoomToSort, makeRoom } from './map-room.ts';
import { MapWriter } from './map-writer.ts';
import { countNotice, type ScanHooks, type ScanRequest, type Source } from './scan-file.ts';
import { DATA_NAME, MAP_INCOMING_NAME, MAP_NAME, type MapRecord } from './slot-map.ts';
import { openNameless } from './unpack.ts';
import { md5Of } from './verify.ts';

/**
 * Longest value that is mapped whatever `-memory` says; beyond it, a value must fit into that
 * memory: it is held there once when it is loaded, and once for each client that it is sent to.
 */
const MAPPED_VALUE_BYTES = 64 * 1024 * 1024;

/** LMDB's limits on keys are those of pages of 4 KiB or more. */
const PAGE_BYTES_MIN = 4096;

/** What a map is made of. */
export interface MapRequest extends ScanRequest {
  readonly path: string;
  readonly md5: string;
  /** Folder of the slot that the map is for. */
  readonly mapDir: string;
  /** Whether what the slot holds may go to make room. */
  readonly mayClear: boolean;
  /** See `MapRecord`. */
  readonly recipe: string;
  /** What the data set may take in memory. */
  readonly bytesMax: number;
}

/**
 * Makes a data set ready to be mapped: as it is, if it is an LMDB file that can be; otherwise it is
 * rewritten in the slot.
 *
 * @param onProgress Told how many bytes of the file are done.
 * @throws GoromdbError as the scanner, and FOLDER_UNUSABLE when there is no room.
 */
export async function makeMap(
  request: MapRequest,
  source: Source,
  onProgress: (bytes: number) => void,
): Promise<{ readonly map: MapRecord; readonly notices: readonly string[] }> {
  const { bytesMax: memoryBytes, recipe } = request;
  const made = { format: source.format, memoryBytes, recipe };
  const notices: string[] = [];
  const hooks = {
    valueBytesMax: Math.min(VALUE_BYTES_MAX, Math.max(MAPPED_VALUE_BYTES, memoryBytes)),
    onProgress,
    onNotice: (text: string) => notices.push(text),
    onRecord: () => {},
  };
  const keys = await keysOfPlainMap(request, source, hooks);
  if (keys !== undefined) {
    const { size: bytes } = source.input;
    const map = {
      file: DATA_NAME,
      layout: 'plain',
      md5: request.md5,
      bytes,
      keys,
      ...made,
    } as const;
    return { map, notices };
  }
  const { repeats, ...written } = await makingRoom(request, () => {
    notices.length = 0;
    return rewrite(request, source, hooks);
  });
  if (repeats > 0) notices.push(countNotice(repeats));
  return { map: { file: MAP_NAME, layout: 'own', ...written, ...made }, notices };
}

/**
 * Whether the recorded map of a slot can be served as it is: it is what was proven, or written.
 *
 * @param fd The slot's own file.
 */
export function isSound(
  map: MapRecord,
  slotDir: string,
  fd: number,
  onProgress: (bytes: number) => void,
): boolean {
  if (map.file === DATA_NAME)
    return isWritable(join(slotDir, DATA_NAME)) && md5Of(fd, onProgress) === map.md5;
  let mapFd: number;
  try {
    mapFd = openSync(join(slotDir, MAP_NAME), constants.O_RDWR);
  } catch {
    return false;
  }
  try {
    return md5Of(mapFd, onProgress) === map.md5;
  } finally {
    closeSync(mapFd);
  }
}

/**
 * Proves a file that may be mapped as it is. LMDB's own code will read it, so all that this code
 * would trip over must be excluded:
 *
 * - data format 2, whose newest transaction was flushed: of format 1, and of a file without, the
 *   package reads something else than the scanner, if it lives through it;
 * - pages that lie in the file up to the last one: a map beyond its end is a SIGBUS;
 * - the main database, without flags (DUPSORT and such) and without named databases in it, whose
 *   records a get would give out as values;
 * - keys and values as the package takes them;
 * - a file that this user may write to: see `openMap`.
 *
 * @returns The number of keys; undefined when the file must be rewritten.
 */
async function keysOfPlainMap(
  { path, bucket, namespaces }: MapRequest,
  source: Source,
  hooks: ScanHooks,
): Promise<number | undefined> {
  const { input, format, isPacked } = source;
  const isMain = bucket === undefined && namespaces === undefined;
  if (format !== 'lmdb' || isPacked || !isMain) return undefined;
  if (!isWritable(path) || !isWritable(dirname(path))) return undefined;
  const { layout, flushed, main, lastPage, pageBytes } = readLmdbHeader(input);
  const isMappable = layout.version === 2 && flushed && main.flags === 0;
  const isWhole = pageBytes >= PAGE_BYTES_MIN && (lastPage + 1) * pageBytes <= input.size;
  if (!isMappable || !isWhole) return undefined;
  const measure = new Measure();
  await source.scan(measure, hooks);
  const fits =
    measure.keyBytesMin > 0 &&
    measure.keyBytesMax <= MAP_KEY_BYTES_MAX &&
    measure.valueBytesMax <= PLAIN_VALUE_BYTES_MAX;
  return fits && measure.records === main.entries ? measure.records : undefined;
}

/** Takes the measure of records and keeps none. */
class Measure implements RecordSink {
  records = 0;
  keyBytesMin = Number.POSITIVE_INFINITY;
  keyBytesMax = 0;
  valueBytesMax = 0;

  add(
    _key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    _value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    this.records++;
    this.keyBytesMin = Math.min(this.keyBytesMin, keyEnd - keyStart);
    this.keyBytesMax = Math.max(this.keyBytesMax, keyEnd - keyStart);
    this.valueBytesMax = Math.max(this.valueBytesMax, valueEnd - valueStart);
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** If there is no room otherwise, the old generation in the slot gives way. */
async function makingRoom<T>(
  { mapDir, mayClear }: MapRequest,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!mayClear || !(await makeRoom(mapDir, error))) throw error;
    return await write();
  }
}

async function rewrite(
  request: MapRequest,
  source: Source,
  hooks: ScanHooks,
): Promise<Pick<MapRecord, 'md5' | 'bytes' | 'keys'> & { readonly repeats: number }> {
  const { path, mapDir } = request;
  const { size } = source.input;
  const incoming = join(mapDir, MAP_INCOMING_NAME);
  let done = 0;
  const onProgress = (bytes: number): void => {
    done = bytes;
    hooks.onProgress(bytes);
  };
  let scratch: number | undefined;
  const openScratch = (): number => {
    checkRoomToSort(path, mapDir, size - done);
    scratch = openNameless(join(request.scratchDir, 'sorted.tmp'));
    return scratch;
  };
  removeMap(incoming);
  checkRoom(path, mapDir, size);
  try {
    const writer = await MapWriter.create(incoming, openScratch, () => {
      checkRoomLeft(path, mapDir);
    });
    let keys: number;
    try {
      await source.scan(writer, { ...hooks, onProgress });
      keys = await writer.finish();
    } finally {
      await writer.close();
    }
    return { ...sealMap(incoming), keys, repeats: writer.records - keys };
  } catch (cause) {
    removeMap(incoming);
    if (cause instanceof GoromdbError) throw cause;
    const message = `${path}: cannot write a map of it to ${mapDir}: ${messageOf(explained(cause, mapDir))}`;
    throw new GoromdbError('FOLDER_UNUSABLE', message, { cause });
  } finally {
    if (scratch !== undefined) closeSync(scratch);
  }
}

/** Makes a map survive a power loss, and sums it up. */
function sealMap(path: string): { md5: string; bytes: number } {
  rmSync(`${path}-lock`, { force: true });
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
    let bytes = 0;
    const md5 = md5Of(fd, (done) => {
      bytes = done;
    });
    return { md5, bytes };
  } finally {
    closeSync(fd);
  }
}

function removeMap(path: string): void {
  rmSync(path, { force: true });
  rmSync(`${path}-lock`, { force: true });
}
