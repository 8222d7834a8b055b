import { isMainThread, threadId } from 'node:worker_threads';
import { Args } from './frame.ts';
import { ScanPositions } from './positions.ts';

/** Client ids of different threads differ in their last digits. */
const THREADS_RANGE = 1000;

const THREAD = isMainThread ? 0 : threadId % THREADS_RANGE;

/** What the sessions of one thread share. */
export class RespShare {
  readonly positions = new ScanPositions();
  /** For the one command that runs at a time. */
  readonly args = new Args();
  #clients = 0;

  /** A number that no other client of this process has. */
  nextClientId(): number {
    this.#clients++;
    return this.#clients * THREADS_RANGE + THREAD;
  }
}
