import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { checkRecords, importRecords } from '../../src/cli/once/import.ts';
import type { Store } from '../../src/once/once.ts';

/** Records without end. */
async function* records() {
  for (let i = 0; ; i++) {
    yield { key: Buffer.from(`k${i}`), value: Buffer.from('v'), flags: 0 };
    await nextTurn();
  }
}

function hooks() {
  const abort = new AbortController();
  const onProgress = (keys: number): void => {
    if (keys >= 1_000) abort.abort();
  };
  return { type: '', onProgress, onConflict() {}, signal: abort.signal };
}

const ABORTED = { code: 'LOADER_FAILED', message: 'the import was aborted' };

test('an import is aborted while its records are checked', async () => {
  await expect(checkRecords(records(), hooks())).rejects.toMatchObject(ABORTED);
});

test('an import is aborted while keys are created', async () => {
  const store: Pick<Store, 'createAll'> = {
    createAll: async (wishes) =>
      wishes.map((wish) => ({ kind: 'created', item: { ...wish, revision: 2 } })),
  };
  const importing = importRecords(records(), store as Store, hooks());
  await expect(importing).rejects.toMatchObject(ABORTED);
});
