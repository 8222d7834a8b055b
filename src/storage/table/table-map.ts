/** Maps tables into this process, by way of the package `lmdb`. One thread does it for all. */
import { randomUUID } from 'node:crypto';
import {
  linkSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { crc32 } from 'node:zlib';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { loadMapReader, mapBytesFor, mappedBytes } from '../map-window.ts';
import type { TableParts } from './table.ts';
import { readTableFile, readTableMemory } from './table-file.ts';
import { HEAD_BYTES } from './table-layout.ts';

/**
 * A table that every thread of this process can open, as one holder has it. It is unmapped when all
 * holders have released it.
 */
export interface TableMap {
  readonly parts: TableParts;
  /** The same for one holder more. @throws Error when this holder has released it. */
  hold(): TableMap;
  /** Safe to call twice. */
  release(): void;
}

/** What is mapped, by device and inode: the package has one map for each file in a process. */
const open = new Map<string, CountedMap>();

/**
 * Maps a table's file; whoever asks for it is the first to hold it. The file may be renamed or removed
 * meanwhile, never cut short or written to. Where the system cannot map it, the table is read into
 * memory.
 *
 * @param headCrc32 That of the table which is meant.
 * @throws GoromdbError DATA_CORRUPT when it is no sound table as far as its head says; LOADER_FAILED;
 *   what the file system throws.
 */
export async function openTableMap(path: string, headCrc32?: number): Promise<TableMap> {
  const openDatabase = await loadMapper();
  // Nothing is awaited from here on: who asks for the same file meanwhile finds it among the open ones.
  const { dev, ino } = statSync(path, { bigint: true });
  const key = `${dev}:${ino}`;
  const { layout, head } = readTableFile(path);
  if (headCrc32 !== undefined && crc32(head) !== headCrc32) {
    throw new GoromdbError(
      'LOADER_FAILED',
      `${path}: expected the table that was just written, found another one`,
    );
  }
  const known = open.get(key);
  if (known !== undefined) {
    if (known.head.equals(head)) return new HeldMap(known);
    throw isNotWhatIsMapped(path);
  }
  if (openDatabase === undefined) {
    const memory = readTableMemory(path, layout);
    return new HeldMap(new CountedMap({ layout, place: { memory } }, head, () => {}));
  }
  const { address, close } = map(openDatabase, path, layout.bytes);
  if (!mappedBytes(address, 0, HEAD_BYTES).equals(head)) {
    close();
    throw isNotWhatIsMapped(path);
  }
  const made = new CountedMap({ layout, place: { address } }, head, () => {
    open.delete(key);
    close();
  });
  open.set(key, made);
  return new HeldMap(made);
}

function isNotWhatIsMapped(path: string): GoromdbError {
  const message = `${path}: expected the bytes that are mapped, found others: another program has written to it`;
  return new GoromdbError('DATA_CORRUPT', message);
}

class CountedMap {
  readonly parts: TableParts;
  /** The first bytes of the file when it was mapped: they have the checksums of all the rest. */
  readonly head: Buffer;
  readonly #close: () => void;
  #holders = 0;

  constructor(parts: TableParts, head: Buffer, close: () => void) {
    this.parts = parts;
    this.head = head;
    this.#close = close;
  }

  add(): void {
    this.#holders++;
  }

  remove(): void {
    this.#holders--;
    if (this.#holders === 0) this.#close();
  }
}

/** Who releases twice must not take the map from under another holder: that ends the process. */
class HeldMap implements TableMap {
  readonly parts: TableParts;
  #map: CountedMap | undefined;

  constructor(map: CountedMap) {
    map.add();
    this.parts = map.parts;
    this.#map = map;
  }

  hold(): TableMap {
    if (this.#map === undefined) throw new Error('a table was to be held that was released');
    return new HeldMap(this.#map);
  }

  release(): void {
    const map = this.#map;
    this.#map = undefined;
    map?.remove();
  }
}

type OpenDatabase = typeof import('lmdb').open;

/** @returns undefined where tables are not mapped. @throws GoromdbError LOADER_FAILED. */
async function loadMapper(): Promise<OpenDatabase | undefined> {
  if (process.platform !== 'linux') return undefined;
  await loadMapReader();
  return (await import('lmdb')).open;
}

function map(
  openDatabase: OpenDatabase,
  path: string,
  fileBytes: number,
): { readonly address: number; readonly close: () => void } {
  const name = new MapName(path);
  try {
    const options = {
      ...{ path: name.path, noSubdir: true, readOnly: true, maxDbs: 0 },
      ...({ keyEncoding: 'binary', encoding: 'binary' } as const),
      mapSize: mapBytesFor(fileBytes),
      // A table of 1.5 GB in a container of 360 MiB: 129 random gets a second with read-ahead, each of
      // which pushed out 32 pages, and 17,756 without (2026-11-28).
      ...{ noReadAhead: true },
    };
    const database = openDatabase(options);
    // Nothing was written, so there is nothing to wait for: the map is gone when this returns.
    const close = (): void => void database.close();
    try {
      return { address: name.address(), close };
    } catch (error) {
      close();
      throw error;
    }
  } catch (cause) {
    const message = `cannot map ${path}: ${messageOf(cause)}`;
    throw new GoromdbError('LOADER_FAILED', message, { cause });
  } finally {
    name.remove();
  }
}

/**
 * A name for the moment in which a file is opened. LMDB puts a lock file beside a map, by its name;
 * one that an older map still uses leads to answers from that one. And nobody can have put something
 * in the way of a name that was never seen.
 */
class MapName {
  readonly path: string;
  readonly #folder: string | undefined;

  constructor(file: string) {
    const name = `mapping-${randomUUID()}.mdb`;
    const real = realpathSync(file);
    this.path = join(dirname(real), name);
    try {
      linkSync(real, this.path);
      return;
    } catch {
      // Some file systems have no hard links, and some are read-only.
    }
    this.#folder = mkdtempSync(join(tmpdir(), 'goromdb-'));
    this.path = join(this.#folder, name);
    symlinkSync(real, this.path);
  }

  /**
   * Where the file is mapped. proc(5): a line of /proc/self/maps is `start-end perms offset dev inode
   * path`, and the path is the one that the file was opened by, with links followed.
   */
  address(): number {
    const isLink = this.#folder !== undefined;
    const ends = `/${basename(isLink ? realpathSync(this.path) : this.path)}`;
    // Another file of that name may be mapped, and on another device another one of that inode.
    const inode = isLink ? String(statSync(this.path).ino) : undefined;
    for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
      if (!line.endsWith(ends)) continue;
      if (inode === undefined || line.split(' ')[4] === inode) return Number.parseInt(line, 16);
    }
    throw new Error('it is not among the maps of this process');
  }

  remove(): void {
    rmSync(this.path, { force: true });
    rmSync(`${this.path}-lock`, { force: true });
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}
