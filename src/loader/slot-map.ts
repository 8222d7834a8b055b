import { randomUUID } from 'node:crypto';
import { link, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { MapLayout } from '../storage/mapped.ts';
import { remove } from './folder.ts';

/** The dropped file, in its slot. */
export const DATA_NAME = 'data.db';
/** What is served of a file that is larger than memory and cannot be mapped as it is. */
export const MAP_NAME = 'map.mdb';
/** A map grows under this name. */
export const MAP_INCOMING_NAME = 'map.mdb.incoming';

/** Names under which maps are opened begin with this: see `withServingName`. */
const SERVING_PREFIX = 'serving-';

/** How a slot's data set is mapped, as its record file says it. */
export interface MapRecord {
  /** In the slot: the dropped file itself, or what was written of it. */
  readonly file: typeof DATA_NAME | typeof MAP_NAME;
  readonly layout: MapLayout;
  /** Sum and size of this file, and the number of distinct keys in it. */
  readonly md5: string;
  readonly bytes: number;
  readonly keys: number;
  /** Format of the dropped file. */
  readonly format: string;
  /** Bytes of memory that the data set did not fit into. */
  readonly memoryBytes: number;
  /** The options that the records were read with. */
  readonly recipe: string;
}

/** Whether what a record file says of a map makes sense. */
export function isMapRecord({
  file,
  layout,
  md5,
  bytes,
  keys,
  format,
  ...how
}: MapRecord): boolean {
  return (
    ((file === DATA_NAME && layout === 'plain') || (file === MAP_NAME && layout === 'own')) &&
    [bytes, keys, how.memoryBytes].every((count) => Number.isSafeInteger(count) && count >= 0) &&
    [md5, format, how.recipe].every((text) => typeof text === 'string')
  );
}

/** Whether a crash left a file of this name in a slot. */
export function isMapLeftover(name: string): boolean {
  return name.startsWith(MAP_INCOMING_NAME) || name.startsWith(SERVING_PREFIX);
}

/** Gives a map that was written its name in the slot. Its record is still to be written. */
export async function installMap(folder: string): Promise<void> {
  await rename(join(folder, MAP_INCOMING_NAME), join(folder, MAP_NAME));
}

/** Removes a map from a slot that is served from memory. */
export async function removeMap(folder: string): Promise<void> {
  await remove(join(folder, MAP_NAME));
}

/**
 * Gives a map a name that was never used before, to be opened under. LMDB puts a lock file beside a
 * map, by its name; one that an older map of the slot still uses leads to answers from that one.
 *
 * @param file What to map, as an absolute path.
 */
export async function nameForServing(folder: string, file: string): Promise<string> {
  const path = join(folder, `${SERVING_PREFIX}${randomUUID()}.mdb`);
  // Some file systems have no hard links, and none leads to another file system.
  await link(file, path).catch(() => symlink(file, path));
  return path;
}

/** Removes such a name. Whoever has opened the map keeps it. */
export async function removeServingName(path: string): Promise<void> {
  await remove(path);
  await remove(`${path}-lock`);
}
