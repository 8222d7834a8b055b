/**
 * For `node --import`: kills the process just before its N-th step that changes something on the disk,
 * counted from the moment that the watcher opens a sum file: a swap begins with that; or, where
 * GOROMDB_CRASH_FROM is "start", from the start. N is in GOROMDB_CRASH_AT; the steps are written to
 * GOROMDB_CRASH_LOG. It is no part of the product.
 */
import { appendFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

const crashAt = Number(process.env.GOROMDB_CRASH_AT);
const log = process.env.GOROMDB_CRASH_LOG;
let steps = 0;
let isArmed = process.env.GOROMDB_CRASH_FROM === 'start';

function step(what) {
  if (!isArmed) return;
  steps++;
  appendFileSync(log, `${what}\n`);
  if (steps !== crashAt) return;
  process.kill(process.pid, 'SIGKILL');
  // Not one more instruction of the program.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function wrap(object, name, describe) {
  const real = object[name];
  object[name] = function (...args) {
    const what = describe(args);
    if (what !== undefined) step(`${name} ${what}`);
    return real.apply(this, args);
  };
}

if (isMainThread) {
  const handle = await fs.open(new URL(import.meta.url));
  const methods = Object.getPrototypeOf(handle);
  await handle.close();
  for (const name of ['writeFile', 'sync']) wrap(methods, name, () => 'of an open file');
  for (const name of ['rename', 'rm', 'writeFile'])
    wrap(fs, name, (args) => args.join(' ').slice(0, 300));
  wrap(fs, 'open', ([path, flags]) => {
    if (String(path).endsWith('data.json.md5')) isArmed = true;
    const isWrite =
      typeof flags === 'number' ? (flags & 3) !== 0 : flags !== undefined && flags !== 'r';
    return isWrite ? String(path) : undefined;
  });
  syncBuiltinESMExports();
}
