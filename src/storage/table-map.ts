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
import { GoromdbError, messageOf } from '../errors.ts';
import { loadMapReader, mapBytesFor, mappedBytes } from './map-window.ts';
import type { Lease } from './storage.ts';
import type { TableParts } from './table.ts';
import { readTableFile, readTableMemory } from './table-file.ts';

/** A table that every thread of this process can open. It is unmapped when all have released it. */
export interface TableMap extends Lease {
  readonly parts: TableParts;
}

/** What is mapped, by device and inode: the package has one map for each file in a process. */
const open = new Map<string, CountedMap>();

/**
 * Maps a table's file; whoever asks for it is the first to hold it. The file may be renamed or removed
 * meanwhile, never cut short or written to. Where the system cannot map it, the table is read into
 * memory.
 *
 * @throws GoromdbError DATA_CORRUPT when it is no sound table as far as its head says; LOADER_FAILED;
 *   what the file system throws.
 */
export async function openTableMap(path: string): Promise<TableMap> {
  const { dev, ino } = statSync(path, { bigint: true });
  const key = `${dev}:${ino}`;
  const { layout, head } = readTableFile(path);
  const known = open.get(key);
  if (known !== undefined) return known.again(path, head);
  if (process.platform !== 'linux') {
    const memory = readTableMemory(path, layout);
    return new CountedMap({ layout, place: { memory } }, () => {});
  }
  const { address, close } = await map(path, layout.bytes);
  const made = new CountedMap({ layout, place: { address } }, () => {
    open.delete(key);
    close();
  });
  open.set(key, made);
  try {
    return made.again(path, head);
  } finally {
    made.release();
  }
}

class CountedMap implements TableMap {
  readonly parts: TableParts;
  readonly #close: () => void;
  #holders = 1;

  constructor(parts: TableParts, close: () => void) {
    this.parts = parts;
    this.#close = close;
  }

  /**
   * Holds it once more, if it is what the file is.
   *
   * @param head The first bytes of the file, which have the sums of all the rest.
   */
  again(path: string, head: Buffer): this {
    const { place } = this.parts;
    if ('address' in place && !mappedBytes(place.address, 0, head.length).equals(head)) {
      const message = `${path} is not what is mapped of it: another program has written to it`;
      throw new GoromdbError('DATA_CORRUPT', message);
    }
    this.retain();
    return this;
  }

  retain(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.#close();
  }
}

async function map(
  path: string,
  fileBytes: number,
): Promise<{ readonly address: number; readonly close: () => void }> {
  await loadMapReader();
  const { open: openDatabase } = await import('lmdb');
  const name = new MapName(path);
  try {
    const options = {
      ...{ path: name.path, noSubdir: true, readOnly: true, maxDbs: 0 },
      ...({ keyEncoding: 'binary', encoding: 'binary' } as const),
      mapSize: mapBytesFor(fileBytes),
      // A table of 1.5 GB in a container of 360 MiB: 129 random gets a second with read-ahead, each of
      // which pushed out 32 pages, and 17,756 without (2026-11-28).
      noReadAhead: true,
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
    const ends = `/${basename(this.path)}`;
    const inode = this.#folder === undefined ? undefined : String(statSync(this.path).ino);
    for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
      const isIt = inode === undefined ? line.endsWith(ends) : line.split(' ')[4] === inode;
      if (isIt && !line.endsWith(' (deleted)')) return Number.parseInt(line, 16);
    }
    throw new Error('it is not among the maps of this process');
  }

  remove(): void {
    rmSync(this.path, { force: true });
    rmSync(`${this.path}-lock`, { force: true });
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}
