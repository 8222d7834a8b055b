/**
 * For `node --import`: kills one of the two processes of an upgrade just before it says a word to the
 * other one: GOROMDB_UPGRADE_CRASH is `old:go`, `old:yours`, `new:checked`, `new:ready` or `new:taken`;
 * `old:heard:KIND` is just after the old one has heard a word, `old:spawned` just after it has started the
 * new one. It is no part of the product.
 */
import { ChildProcess } from 'node:child_process';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

const [role, ...step] = (process.env.GOROMDB_UPGRADE_CRASH ?? '').split(':');
const at = step.join(':');
const isNew = process.env.GOROMDB_HANDOVER !== undefined;

function dieAt(what) {
  if (what !== at) return;
  process.kill(process.pid, 'SIGKILL');
  // Not one more instruction of the program.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

if (isMainThread && role === 'new' && isNew && process.send !== undefined) {
  const send = process.send;
  process.send = (message, ...rest) => {
    dieAt(message?.kind);
    return send.call(process, message, ...rest);
  };
}

if (isMainThread && role === 'old' && !isNew) {
  /** The new processes, not those of the loader, which say that they are ready, too. */
  const successors = new WeakSet();
  const { emit, spawn } = ChildProcess.prototype;
  ChildProcess.prototype.emit = function (event, message, ...rest) {
    if (event === 'message' && successors.has(this)) dieAt(`heard:${message?.kind}`);
    return emit.call(this, event, message, ...rest);
  };
  ChildProcess.prototype.spawn = function (options) {
    const result = spawn.call(this, options);
    if (!options.envPairs?.some((pair) => pair.startsWith('GOROMDB_HANDOVER='))) return result;
    successors.add(this);
    dieAt('spawned');
    const { send } = this;
    this.send = (message, ...others) => {
      dieAt(message?.kind);
      return send.call(this, message, ...others);
    };
    return result;
  };
}
