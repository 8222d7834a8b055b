import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';

const ROUNDS = 12;

/** In a thread: tells when native code is about to be loaded. */
const TELLS = `
  const threads = require('node:worker_threads');
  const load = process.dlopen;
  process.dlopen = (...args) => {
    const { word } = threads.workerData ?? {};
    if (word !== undefined && args[1].includes('lmdb')) {
      Atomics.store(word, 0, 1);
      Atomics.notify(word, 0);
    }
    return load.apply(process, args);
  };`;

const hrefOf = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href;

/** Ends threads in that moment. */
const ENDS = `
  import { setImmediate as nextTurn } from 'node:timers/promises';
  import { createCounterMemory } from '${hrefOf('protocol/counters.js')}';
  import { DEFAULT_LIMITS } from '${hrefOf('server/limits.js')}';
  import { ServingThread } from '${hrefOf('server/serving-thread.js')}';
  const facts = { version: '0', threads: 1, startedAt: 0, connectionsMax: 1, settings: {} };
  let ended = 0;
  for (let round = 0; round < ${ROUNDS}; round++) {
    const word = new Int32Array(new SharedArrayBuffer(4));
    const data = {
      ...{ thread: 0, protocol: 'memcached', handler: 'simple', delimiter: undefined, facts },
      ...{ limits: DEFAULT_LIMITS, access: { allow: [] }, loudRefusals: false, allowShutdown: false },
      ...{ counterMemory: createCounterMemory(2), word },
    };
    const events = { onShutdown: () => {}, onReport: () => {}, onExit: () => ended++ };
    const thread = new ServingThread(data, events);
    while (Atomics.load(word, 0) === 0 && ended === round) await nextTurn();
    await thread.end();
  }
  console.log('ended ' + ended);`;

test('a serving thread can be ended while it loads native code', () => {
  const folder = temporaryFolder();
  const [hook, program] = ['tells.cjs', 'ends.mjs'].map((name) => join(folder, name));
  writeFileSync(hook, TELLS);
  writeFileSync(program, ENDS);
  const args = ['--require', hook, program];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(stderr).toBe('');
  expect([status, stdout]).toEqual([0, `ended ${ROUNDS}\n`]);
}, 120_000);
