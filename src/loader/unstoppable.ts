/**
 * Parts of a worker's work in which it must not be ended: a thread that ends within a transaction of the
 * package `lmdb` waits for itself for ever, and with it whoever waits for the thread, or for the process
 * to end. Both threads know from one shared word where the worker is.
 */
import process from 'node:process';
import { workerData } from 'node:worker_threads';

const OUTSIDE = 0;
const INSIDE = 1;
/** It is to be ended when it comes out. */
const ASKED = 2;
const HELD = 3;

/** A transaction takes a fraction of a second; a disk that hangs must not hold up this thread. */
const WAIT_MS_MAX = 5_000;

export function createWord(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** In the thread that ends the worker: waits until it is outside, and holds it there. */
export function holdOutside(word: Int32Array<SharedArrayBuffer>): void {
  if (Atomics.compareExchange(word, 0, OUTSIDE, HELD) !== INSIDE) return;
  if (Atomics.compareExchange(word, 0, INSIDE, ASKED) === INSIDE) {
    Atomics.wait(word, 0, ASKED, WAIT_MS_MAX);
  }
  Atomics.compareExchange(word, 0, OUTSIDE, HELD);
}

const running = new Set<Int32Array<SharedArrayBuffer>>();

/** Has the process wait at its end, too. @returns Ends that. */
export function holdAtExit(word: Int32Array<SharedArrayBuffer>): () => void {
  if (!process.listeners('exit').includes(holdAll)) process.on('exit', holdAll);
  running.add(word);
  return () => void running.delete(word);
}

function holdAll(): void {
  for (const word of running) holdOutside(word);
}

const own = (workerData as { readonly word?: Int32Array<SharedArrayBuffer> } | null)?.word;

/** In the worker: does what must not be cut short. */
export function unstoppable<T>(work: () => T): T {
  enter();
  try {
    return work();
  } finally {
    leave();
  }
}

/** The same for work that goes on over turns: a native module whose loading is cut short ends the process. */
export async function unstoppableLoad<T>(load: () => Promise<T>): Promise<T> {
  enter();
  try {
    return await load();
  } finally {
    leave();
  }
}

function enter(): void {
  if (own === undefined) return;
  if (Atomics.compareExchange(own, 0, OUTSIDE, INSIDE) === HELD) Atomics.wait(own, 0, HELD);
}

function leave(): void {
  if (own === undefined) return;
  if (Atomics.compareExchange(own, 0, INSIDE, OUTSIDE) !== ASKED) return;
  Atomics.store(own, 0, HELD);
  Atomics.notify(own, 0);
  Atomics.wait(own, 0, HELD);
}
