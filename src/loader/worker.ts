/** What runs in the loader worker: one file is verified, scanned and indexed, and the worker ends. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { GoromdbError, messageOf } from '../errors.ts';
import { loadPlugin } from '../plugin.ts';
import { answerRequests } from '../rpc.ts';
import { type TableParts, transferableMemory } from '../storage/table.ts';
import { TableBuilder } from '../storage/table-builder.ts';
import { type FileIdentity, identityOf, sameIdentity } from '../watcher/identity.ts';
import { isAbsence } from './folder.ts';
import { ProgressMemory } from './progress.ts';
import { SCANNERS } from './scanners.ts';
import { md5Of } from './verify.ts';

/** What to load, and how. */
export interface LoadRequest {
  readonly path: string;
  /** The sum that the file must have. */
  readonly md5: string;
  /** Built-in name, or the URL of a module whose default export is a `Scanner`. */
  readonly scanner: string;
  readonly gzipped: boolean;
  readonly bucket: string | undefined;
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
    };

async function load(request: LoadRequest): Promise<LoadResult> {
  const fd = openFile(request.path);
  if (fd === undefined) return { kind: 'changed' };
  try {
    return await loadOpen(request, fd);
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
    throw new GoromdbError('FILE_UNREADABLE', `cannot open ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

async function loadOpen(request: LoadRequest, fd: number): Promise<LoadResult> {
  const progress = new ProgressMemory(request.progress);
  const { path, gzipped, bucket } = request;
  const identity = identityOf(fstatSync(fd, { bigint: true }));
  const startMs = performance.now();
  const found = md5Of(fd, (bytes) => progress.write('verify', bytes));
  if (found !== request.md5) return { kind: 'mismatch', found };

  const verifiedMs = performance.now();
  const scanner = await loadPlugin('storage', request.scanner, SCANNERS);
  const builder = new TableBuilder({ shared: request.shared, bytesMax: request.bytesMax });
  const onProgress = (bytes: number): void => progress.write('scan', bytes);
  try {
    await scanner.scan(
      { path, fd, size: Number(identity.size) },
      { gzipped, bucket, onProgress },
      builder,
    );
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
  return { kind: 'table', table, format: scanner.format, identity, seconds };
}

function isUnchanged(fd: number, identity: FileIdentity): boolean {
  return sameIdentity(identityOf(fstatSync(fd, { bigint: true })), identity);
}

answerRequests(load, (result) => (result.kind === 'table' ? transferableMemory(result.table) : []));
