import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { hostileGzip, hostileJson, hostileLmdb } from '../support/hostile-files.ts';
import { inspectAll } from '../support/inspect-all.ts';

test('check, dump, diff and get of every hostile file end, or say why not, and leave nothing', async () => {
  const scratchDir = temporaryFolder();
  const path = join(temporaryFolder(), 'data.db');
  const lmdb = ['v1', 'v2'].flatMap(hostileLmdb);
  for (const [, content] of [...hostileJson(), ...(await hostileGzip()), ...lmdb]) {
    writeFileSync(path, content);
    await inspectAll(path, scratchDir);
  }
});
