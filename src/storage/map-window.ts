/**
 * Memory that the package `lmdb` has mapped, as this thread sees it. The package hands out views of a
 * map only where it was compiled for just this version of Node (20 and 22; on 24 and 26 it copies, seen
 * on 2026-11-28), but all its builds have the function that makes a buffer of an address.
 */
import { GoromdbError, messageOf } from '../common/errors.ts';

/** What is used of the package's native part; it documents none of it. */
interface NativeAddon {
  createBufferForAddress?(address: number, bytes: number): Buffer;
}

/** Windows begin at multiples of this within a map. */
const WINDOW_STRIDE_BYTES = 2 ** 31;

/**
 * All windows have this size, the largest that a buffer has on Node 20, whatever is mapped. The system
 * mostly maps the next file where the last but one was, and there the same window serves again: to
 * make one costs a collection of all of the thread's garbage, 3 ms and more (2026-11-28).
 */
const WINDOW_BYTES = 2 ** 32 - 1;

/** More windows are not kept: each is a small object. */
const WINDOWS_MAX = 256;

const windows = new Map<number, Buffer>();
const mappedMemory = new WeakSet<ArrayBufferLike>();
let createBuffer: NativeAddon['createBufferForAddress'];

/**
 * How much address space a map takes, so that each of its windows lies in it.
 *
 * @param fileBytes Size of the file. What is behind its end is mapped and must never be touched.
 */
export function mapBytesFor(fileBytes: number): number {
  return (Math.ceil(fileBytes / WINDOW_STRIDE_BYTES) + 1) * WINDOW_STRIDE_BYTES;
}

/**
 * To be awaited in each thread before `mappedBytes` is called.
 *
 * @throws GoromdbError LOADER_FAILED where the package cannot be loaded or lacks what is needed.
 */
export async function loadMapReader(): Promise<void> {
  if (createBuffer !== undefined) return;
  // Not before it is needed: it takes native code.
  const { nativeAddon } = (await import('lmdb').catch((cause: unknown) => {
    const message = `cannot load the package lmdb: ${messageOf(cause)}`;
    throw new GoromdbError('LOADER_FAILED', message, { cause });
  })) as unknown as { nativeAddon?: NativeAddon };
  createBuffer = nativeAddon?.createBufferForAddress;
  if (createBuffer === undefined) {
    const message = 'expected a package lmdb that lends its maps, found another: install lmdb 3.5';
    throw new GoromdbError('LOADER_FAILED', message);
  }
}

/**
 * The bytes [at, at + bytes) of a map. Who touches them after the map was closed ends the process.
 *
 * @param address Where the map begins, of {@link mapBytesFor} bytes.
 */
export function mappedBytes(address: number, at: number, bytes: number): Buffer {
  const start = at - (at % WINDOW_STRIDE_BYTES);
  // Only an index of more than a hundred and eighty million keys.
  if (at - start + bytes > WINDOW_BYTES) return createBuffer!(address + at, bytes);
  return windowAt(address + start).subarray(at - start, at - start + bytes);
}

/** Whether memory lies in a window, so that it goes when the map is closed. */
export function isMapped(bytes: Buffer): boolean {
  return mappedMemory.has(bytes.buffer);
}

function windowAt(address: number): Buffer {
  const known = windows.get(address);
  if (known !== undefined) return known;
  if (windows.size === WINDOWS_MAX) windows.delete(windows.keys().next().value!);
  const made = createBuffer!(address, WINDOW_BYTES);
  mappedMemory.add(made.buffer);
  windows.set(address, made);
  return made;
}
