/** For the loader worker: whether there is room on the disk to write a map. */
import { statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { GoromdbError } from '../errors.ts';
import { lackOf } from './report.ts';
import { DATA_NAME, MAP_NAME } from './slot-map.ts';
import { clearSlot } from './slots.ts';

/**
 * Room that must be there for each byte of a file: for the map, and for records that have to be sorted
 * on the way. A million records of 100 bytes in JSON took 1.11, and 1.05 more in no order. Where the
 * records are short or the file is packed it is more, which is seen while it is written.
 */
const ROOM_PER_BYTE = 1.2;
const ROOM_TO_SORT_PER_BYTE = 1.1;

/** Room that is left to others while a map is written. */
const ROOM_LEFT_BYTES = 64 * 1024 * 1024;

/** Before a map is written. @throws GoromdbError FOLDER_UNUSABLE, as all here. */
export function checkRoom(path: string, folder: string, fileBytes: number): void {
  check(path, folder, fileBytes * ROOM_PER_BYTE);
}

/** Before records are sorted. @param fileBytes Of the part of the file that is not read yet. */
export function checkRoomToSort(path: string, folder: string, fileBytes: number): void {
  check(path, folder, fileBytes * (ROOM_PER_BYTE + ROOM_TO_SORT_PER_BYTE));
}

/** While a map is written. */
export function checkRoomLeft(path: string, folder: string): void {
  check(path, folder, 0);
}

/**
 * Has the generation in a slot give way, if that may help.
 *
 * @param error Why a map could not be written.
 * @returns Whether it is worth another try.
 */
export async function makeRoom(folder: string, error: unknown): Promise<boolean> {
  if (!(error instanceof GoromdbError) || error.code !== 'FOLDER_UNUSABLE') return false;
  const needed = Number(error.numbers?.needed ?? 0);
  const held = bytesAt(join(folder, DATA_NAME)) + bytesAt(join(folder, MAP_NAME));
  if (held === 0 || freeBytes(folder) + held < needed) return false;
  await clearSlot(folder);
  return true;
}

function check(path: string, folder: string, bytes: number): void {
  const needed = Math.ceil(bytes) + ROOM_LEFT_BYTES;
  const free = freeBytes(folder);
  if (free >= needed) return;
  const message =
    `${path} is larger than memory (see -memory), and there is no room in ${folder} to write a ` +
    `map of it: ${lackOf('free space', needed, free)}`;
  throw new GoromdbError('FOLDER_UNUSABLE', message, { numbers: { needed, free } });
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function bytesAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
