/** What runs in an `Md5Thread`. */
import { parentPort, workerData } from 'node:worker_threads';
import { md5Of, READ_BYTES } from '../../common/md5.ts';
import { type Md5Request, WrittenBlocks } from './md5-thread.ts';

const request = workerData as Md5Request;
const written = new WrittenBlocks(request.written);
const waitForMore = (done: number): void =>
  written.waitFor(Math.min(done + READ_BYTES, request.size));
waitForMore(0);
parentPort!.postMessage(md5Of(request.fd, waitForMore));
