/** What runs in an `Md5Thread`. */
import { parentPort, workerData } from 'node:worker_threads';
import { md5Of, READ_BYTES } from '../../common/md5.ts';
import { type Md5Request, WrittenBlocks } from './md5-thread.ts';
import { giveWay } from './priority.ts';
import { ProgressMemory } from './progress.ts';

giveWay();
const request = workerData as Md5Request;
const written = new WrittenBlocks(request.written);
const progress = new ProgressMemory(request.progress);
const waitForMore = (done: number): void =>
  written.waitFor(Math.min(done + READ_BYTES, request.size));
waitForMore(0);
const sum = md5Of(request.fd, (done) => {
  progress.write('verify', done);
  waitForMore(done);
});
parentPort!.postMessage(sum);
