import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { createWord, holdOutside } from '../../src/loader/unstoppable.ts';
import { temporaryFolder } from '../support/folder.ts';

/** Writes one small map after the other, so that it is in the package's code most of the time. */
const WRITER = `
const { workerData } = require('node:worker_threads');
import(workerData.module).then(async ({ MapWriter }) => {
  const value = Buffer.alloc(10);
  for (let n = 0; ; n++) {
    const writer = await MapWriter.create(workerData.path + n, () => -1, () => {});
    for (let i = 0; i < 2000; i++) {
      const key = Buffer.from(String(i).padStart(9, '0'));
      writer.add(key, 0, 9, value, 0, 10, 0);
    }
    await writer.finish();
  }
});`;

test('a worker that writes maps can be ended at any moment', async () => {
  const module = new URL('../../dist/loader/map-writer.js', import.meta.url).href;
  for (let round = 0; round < 25; round++) {
    const word = createWord();
    const path = join(temporaryFolder(), 'map');
    const worker = new Worker(WRITER, { eval: true, workerData: { module, path, word } });
    await delay(20 + 5 * round);
    holdOutside(word);
    await worker.terminate();
  }
  expect.assertions(0);
});
