import { Worker } from 'node:worker_threads';
import type { ProgressMemory } from './progress.ts';

/** What the thread is told. */
export interface Md5Request {
  /** Of this process; only read from. */
  readonly fd: number;
  readonly progress: SharedArrayBuffer;
}

/** As `md5Of`, in a thread of its own, beside what this one does. */
export function md5Beside(fd: number, { memory }: ProgressMemory): Promise<string> {
  const workerData: Md5Request = { fd, progress: memory };
  const thread = new Worker(new URL('./md5-worker.js', import.meta.url), {
    ...{ name: 'md5', workerData },
  });
  return new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', () => reject(new Error('the thread that sums has ended')));
  });
}
