/** What runs in the loader worker: files are verified, scanned and indexed, one at a time. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { collectGarbage } from '../collect-garbage.ts';
import { GoromdbError, messageOf } from '../errors.ts';
import { answerRequests } from '../rpc.ts';
import type { NamespaceOptions } from '../storage/scanners/scanner.ts';
import { type TableParts, transferableMemory } from '../storage/table.ts';
import { TableBuilder } from '../storage/table-builder.ts';
import { type FileIdentity, identityOf, sameIdentity } from '../watcher/identity.ts';
import { isAbsence } from './folder.ts';
import { giveWay } from './priority.ts';
import { ProgressMemory } from './progress.ts';
import { RecordPlaces } from './record-places.ts';
import { repeatsNotice, scanFile } from './scan-file.ts';
import { md5Of } from './verify.ts';

/** What to load, and how. */
export interface LoadRequest {
  readonly path: string;
  /** The sum that the file must have. */
  readonly md5: string;
  /** Built-in name, or the URL of a module whose default export is a `Scanner`. */
  readonly scanner: string;
  readonly gzipped: boolean;
  /** Where a packed file is unpacked to. */
  readonly scratchDir: string;
  readonly bucket: string | undefined;
  readonly namespaces: NamespaceOptions | undefined;
  readonly shared: boolean;
  readonly bytesMax: number;
  readonly progress: SharedArrayBuffer;
}

/** Seconds that each stage in the worker took. */
export interface WorkerSeconds {
  readonly verify: number;
  readonly scan: number;
  readonly index: number;
}

export type LoadResult =
  | { readonly kind: 'mismatch'; readonly found: string }
  | { readonly kind: 'changed' }
  | {
      readonly kind: 'table';
      readonly table: TableParts;
      readonly format: string;
      readonly identity: FileIdentity;
      readonly seconds: WorkerSeconds;
      /** What the owner of the file should know, though it is sound: for the log. */
      readonly notices: readonly string[];
    };

/**
 * A file may be so much larger than the table that it may make: free pages, text and packing take
 * room in files. More is a mistake, and to hash it would hold up the next file for hours.
 */
const FILE_BYTES_PER_TABLE_BYTE = 8;
const FILE_BYTES_MIN_LIMIT = 1024 * 1024 * 1024;

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
    throw new GoromdbError('FILE_UNREADABLE', `cannot open ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

async function loadOpen(request: LoadRequest, fd: number): Promise<LoadResult> {
  const progress = new ProgressMemory(request.progress);
  const identity = identityOf(fstatSync(fd, { bigint: true }));
  const bytesMax = Math.max(FILE_BYTES_MIN_LIMIT, request.bytesMax * FILE_BYTES_PER_TABLE_BYTE);
  if (identity.size > bytesMax) {
    const message = `${request.path} is too large: expected at most ${bytesMax} bytes, found ${identity.size}`;
    throw new GoromdbError('LIMIT_EXCEEDED', message);
  }
  const startMs = performance.now();
  const found = md5Of(fd, (bytes) => progress.write('verify', bytes));
  if (found !== request.md5) return { kind: 'mismatch', found };

  const verifiedMs = performance.now();
  const builder = new TableBuilder({ shared: request.shared, bytesMax: request.bytesMax });
  const input = { path: request.path, fd, size: Number(identity.size) };
  const places = new RecordPlaces();
  const notices: string[] = [];
  const hooks = {
    onProgress: (bytes: number) => progress.write('scan', bytes),
    onNotice: (text: string) => notices.push(text),
    onRecord: (offset: number) => places.add(offset),
  };
  let format: string;
  try {
    format = await scanFile(request, input, builder, hooks);
  } catch (error) {
    // A file that changes under the scanner can look corrupt without being so.
    if (!isUnchanged(fd, identity)) return { kind: 'changed' };
    throw error;
  }

  const scannedMs = performance.now();
  progress.write('index', Number(identity.size));
  const table = builder.build();
  if (!isUnchanged(fd, identity)) return { kind: 'changed' };
  const seconds = {
    verify: (verifiedMs - startMs) / 1000,
    scan: (scannedMs - verifiedMs) / 1000,
    index: (performance.now() - scannedMs) / 1000,
  };
  if (builder.repeats !== undefined) notices.push(repeatsNotice(input, builder.repeats, places));
  return { kind: 'table', table, format, identity, seconds, notices };
}

function isUnchanged(fd: number, identity: FileIdentity): boolean {
  return sameIdentity(identityOf(fstatSync(fd, { bigint: true })), identity);
}

giveWay();
answerRequests(load, (result) => (result.kind === 'table' ? transferableMemory(result.table) : []));
