import { Worker } from 'node:worker_threads';
import { READ_BYTES } from '../../common/md5.ts';

/** What the thread is started with. */
export interface Md5Request {
  /** Of this process; only read from. */
  readonly fd: number;
  /** Size of the file when it is all there. */
  readonly size: number;
  readonly written: SharedArrayBuffer;
}

/** How much of a file is there, for another thread to wait for. */
export class WrittenBlocks {
  readonly memory: SharedArrayBuffer;
  readonly #blocks: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.memory = memory;
    this.#blocks = new Int32Array(memory);
  }

  /** One more block of READ_BYTES, or the smaller last one, is written. */
  add(): void {
    Atomics.add(this.#blocks, 0, 1);
    Atomics.notify(this.#blocks, 0);
  }

  /** Waits until so many bytes from the beginning are written. */
  waitFor(bytes: number): void {
    for (;;) {
      const blocks = Atomics.load(this.#blocks, 0);
      if (blocks * READ_BYTES >= bytes) return;
      Atomics.wait(this.#blocks, 0, blocks);
    }
  }
}

/**
 * The MD5 of a file, computed in a thread of its own while the file is written and read.
 *
 * Of a table of 10 million records (1.37 GB) the copy takes 0.3 s, the MD5 1.7 s and the check 1.5 s.
 * From drop to serving it took 2.3 to 2.6 s, where `md5sum` took 1.7 s (two processors, 2026-11-28).
 */
export class Md5Thread {
  readonly sum: Promise<string>;
  readonly #thread: Worker;

  constructor(fd: number, size: number, written: WrittenBlocks) {
    const workerData: Md5Request = { fd, size, written: written.memory };
    const thread = new Worker(new URL('./md5-worker.js', import.meta.url), {
      ...{ name: 'md5', workerData },
    });
    this.#thread = thread;
    this.sum = new Promise((resolve, reject) => {
      thread.once('message', resolve);
      thread.once('error', reject);
      thread.once('exit', () => reject(new Error('the thread that computes the MD5 has ended')));
    });
    // Whoever awaits it hears of it; a load that fails before does not.
    this.sum.catch(() => {});
  }

  /** Ends the thread, if it has not ended. The file may be closed when this resolves. */
  async close(): Promise<void> {
    await this.#thread.terminate();
  }
}
