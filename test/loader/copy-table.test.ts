import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { copyTable } from '../../src/loader/worker/copy-table.ts';
import { md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { tableBytes } from '../support/table-bytes.ts';

test.each([
  ['longer than its head says', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(4096)])],
  ['shorter than its head says', (bytes: Buffer) => bytes.subarray(0, -4096)],
  ['cut off in its head', (bytes: Buffer) => bytes.subarray(0, 100)],
])('a table that is %s is summed, and nothing of it is written', async (_, spoil) => {
  const folder = temporaryFolder();
  const file = join(folder, 'data.db');
  const bytes = spoil(await tableBytes([['a', '1']]));
  writeFileSync(file, bytes);
  const fd = openSync(file, 'r');
  onTestFinished(() => closeSync(fd));
  const copied = await copyTable(
    { path: file, fd, size: bytes.length },
    {
      // Nothing can be made there.
      path: join(folder, 'missing', 'table.mdb'),
      mode: 0o600,
      onProgress: () => {},
      isSummed: true,
    },
  );
  expect(copied).toMatchObject({ md5: md5(bytes), headCrc32: { code: 'DATA_CORRUPT' } });
});
