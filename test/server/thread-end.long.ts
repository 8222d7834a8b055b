import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { PATIENCE_MS } from '../support/patience.ts';

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
  import { ServingThread } from '${hrefOf('server/threads/serving-thread.js')}';
  const facts = { version: '0', threads: 1, startedAt: 0, connectionsMax: 1, settings: {} };
  let ended = 0;
  for (let round = 0; round < ${ROUNDS}; round++) {
    const word = new Int32Array(new SharedArrayBuffer(4));
    const data = {
      ...{ thread: 0, protocol: 'memcached', handler: 'simple', delimiter: undefined, facts },
      ...{ limits: DEFAULT_LIMITS, access: { allow: [] }, sessions: {}, allowShutdown: false },
      ...{ counterMemory: createCounterMemory(2), word },
    };
    const events = { onShutdown: () => {}, onReport: () => {}, onExit: () => ended++ };
    const thread = new ServingThread(data, events);
    while (Atomics.load(word, 0) === 0 && ended === round) await nextTurn();
    await thread.end();
  }
  console.log('ended ' + ended);`;

/**
 * In a thread: has the program ended by SIGTERM, and begins to load native code when it exits. The program
 * waits a little then, each time another time, for the thread to be in the midst of it.
 */
const EXITS = `
  const { existsSync, writeFileSync } = require('node:fs');
  const { isMainThread } = require('node:worker_threads');
  const { MARK, WAIT_MS } = process.env;
  const load = process.dlopen;
  process.dlopen = (...args) => {
    if (!isMainThread && args[1].includes('lmdb')) {
      process.kill(process.pid, 'SIGTERM');
      while (!existsSync(MARK));
    }
    return load.apply(process, args);
  };
  if (isMainThread) {
    process.on('exit', () => {
      writeFileSync(MARK, '');
      const untilMs = performance.now() + Number(WAIT_MS);
      while (performance.now() < untilMs);
    });
  }`;

test('the program can be ended while its threads load native code', () => {
  const folder = temporaryFolder();
  const hook = join(folder, 'exits.cjs');
  writeFileSync(hook, EXITS);
  const bin = fileURLToPath(new URL('../../bin/goromdb.js', import.meta.url));
  for (let round = 0; round < ROUNDS; round++) {
    const args = ['-file', join(folder, 'data.json'), '-addr', '127.0.0.1:0', '-threads', '2'];
    const { status, stderr } = spawnSync(process.execPath, ['--require', hook, bin, ...args], {
      ...{ encoding: 'utf8', timeout: PATIENCE_MS },
      env: { ...process.env, MARK: join(folder, `mark-${round}`), WAIT_MS: String(round / 4) },
    });
    expect(stderr).not.toContain('FATAL');
    expect(status).toBe(0);
  }
});

test('a serving thread can be ended while it loads native code', () => {
  const folder = temporaryFolder();
  const [hook, program] = ['tells.cjs', 'ends.mjs'].map((name) => join(folder, name));
  writeFileSync(hook, TELLS);
  writeFileSync(program, ENDS);
  const args = ['--require', hook, program];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: PATIENCE_MS,
  });
  expect(stderr).toBe('');
  expect([status, stdout]).toEqual([0, `ended ${ROUNDS}\n`]);
});
