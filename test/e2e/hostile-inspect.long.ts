import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { hostileGzip, hostileJson, hostileLmdb } from '../support/hostile-files.ts';
import { inspectAll } from '../support/inspect-all.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));

const FILES = readdirSync(FIXTURES, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(?:db|mdb|json)(?:\.gz)?$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name));

async function inspectEach(contents: Iterable<string | Buffer>): Promise<void> {
  const scratchDir = temporaryFolder();
  const path = join(temporaryFolder(), 'data.db');
  for (const content of contents) {
    writeFileSync(path, content);
    await inspectAll(path, scratchDir);
  }
}

function* fixtures(): Generator<Buffer> {
  for (const path of FILES) {
    const bytes = readFileSync(path);
    yield bytes;
    yield bytes.subarray(0, bytes.length / 2);
  }
}

describe('check, dump, diff and get end, or say why not, and leave nothing', () => {
  test('with every hostile file', async () => {
    const lmdb = ['v1', 'v2'].flatMap(hostileLmdb);
    const files = [...hostileJson(), ...(await hostileGzip()), ...lmdb];
    await inspectEach(files.map(([, content]) => content));
  });

  test('with every fixture, and with half of it', async () => {
    await inspectEach(fixtures());
  });
});
