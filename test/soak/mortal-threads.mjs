/**
 * For `node --import`: serving threads die when the parent process sends `{ thread, how }`.
 * Before it dies, a thread writes to standard error, in a line, the ports of the clients whose
 * connections go with it. It is no part of the product.
 */
import { writeSync } from 'node:fs';
import process from 'node:process';
import { BroadcastChannel, isMainThread, workerData } from 'node:worker_threads';

const channel = new BroadcastChannel('goromdb soak: die');
channel.unref();

const DEATHS = {
  throw: () => {
    throw new TypeError('on purpose');
  },
  exit: () => process.exit(7),
  /** Hands nothing back, as when it is out of heap. */
  lost: () => {
    process.removeAllListeners('exit');
    process.exit(7);
  },
  hang: () => {
    for (;;);
  },
};

if (isMainThread) {
  process.on('message', (order) => channel.postMessage(order));
  // No process is left that would end it.
  process.on('disconnect', () => process.exit(1));
  process.channel?.unref();
} else {
  channel.onmessage = ({ data: { thread, how } }) => {
    if (workerData?.thread !== thread) return;
    setImmediate(() => {
      // Node documents no way to all connections of a thread.
      const ports = process._getActiveHandles().map(({ remotePort }) => remotePort);
      writeSync(2, `thread ${thread} dies by ${how} with ${ports.filter(Boolean).join(',')};\n`);
      DEATHS[how]();
    });
  };
}
