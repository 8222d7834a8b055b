/** What runs in a thread that `md5Beside` starts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Md5Request } from './md5-thread.ts';
import { giveWay } from './priority.ts';
import { ProgressMemory } from './progress.ts';
import { md5Of } from './verify.ts';

giveWay();
const { fd, progress } = workerData as Md5Request;
const memory = new ProgressMemory(progress);
parentPort!.postMessage(md5Of(fd, (bytes) => memory.write('verify', bytes)));
