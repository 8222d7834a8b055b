import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, type TestContext, test } from 'vitest';
// The loader's worker is a file of the build.
import { Loader } from '../../dist/loader/loader.js';
import { openStorage } from '../../src/storage/open-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { identityOf } from '../../src/watcher/identity.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const MIB = 1024 * 1024;

/** What is left to others while a map is written. */
const LEFT_BYTES = 64 * MIB;

/** A loader that maps everything, on a disk with so much room beside what is left to others. */
async function startOnDisk(context: TestContext, roomBytes: number) {
  const base = mountSmallDisk(context, LEFT_BYTES + roomBytes);
  const file = join(temporaryFolder(), 'data.json');
  const logger = collectingLogger();
  let storage: Storage | undefined;
  const loader = new Loader({
    ...{ baseDir: base, scanner: 'auto', gzipped: false, bucket: undefined, shared: false },
    ...{ bytesMax: 0, logger },
    swap: async (next, info) => {
      const previous = storage;
      storage = await openStorage(next, info);
      previous?.close();
    },
  });
  onTestFinished(async () => {
    storage?.close();
    await loader.close();
  });
  await loader.prepare();
  return {
    base,
    file,
    load: async (content: Uint8Array): Promise<string> => {
      drop(file, content);
      const identity = identityOf(statSync(file, { bigint: true }));
      const offered = { file, sumFile: `${file}.md5`, md5: md5(content), identity, force: false };
      return (await loader.load(offered, new AbortController().signal)).kind;
    },
    version: (): string | undefined => {
      const entry = storage?.get(Buffer.from('v'), 0, 1);
      return entry?.buffer.toString('latin1', entry.valueStart, entry.valueEnd);
    },
  };
}

/** Text whose map takes so many bytes. In gzip it is a fraction of that, so nothing is told by its size. */
function textOf(version: string, mapBytes: number, isOrdered = true): Buffer {
  const valueBytes = 4000;
  const records = Array.from({ length: Math.ceil(mapBytes / 4096) }, (_, i) => {
    const place = isOrdered ? i : (i * 7919) % 100_000;
    return `"k${String(place).padStart(9, '0')}":"${'x'.repeat(valueBytes)}"`;
  });
  return Buffer.from(`{${records.join(',')},"v":"${version}"}`);
}

function packed(version: string, mapBytes: number, isOrdered = true): Buffer {
  return gzipSync(textOf(version, mapBytes, isOrdered));
}

test('a map that turns out too large for the disk has the older generation give way', async (context) => {
  const subject = await startOnDisk(context, 100 * MIB);
  for (const version of ['1', '2', '3']) {
    expect(await subject.load(packed(version, 40 * MIB))).toBe('taken');
    expect(subject.version()).toBe(version);
  }
});

test('a map that cannot fit has nothing give way, and the drop stays', async (context) => {
  const subject = await startOnDisk(context, 60 * MIB);
  for (const version of ['1', '2']) await subject.load(packed(version, 20 * MIB));
  await expect(subject.load(textOf('3', 80 * MIB))).rejects.toThrow(
    /there is no room in .* to write a map of it: expected 1\d\d MB of free space, found/,
  );
  expect(subject.version()).toBe('2');
  expect(existsSync(subject.file)).toBe(true);
  expect(readdirSync(join(subject.base, 'data00'))).toContain('map.mdb');
});

for (const isOrdered of [true, false]) {
  const order = isOrdered ? 'in order' : 'to be sorted first';
  test(`a map that fills the disk leaves others their room: records ${order}`, async (context) => {
    const subject = await startOnDisk(context, 60 * MIB);
    await subject.load(packed('1', 20 * MIB));
    let leastFree = Number.POSITIVE_INFINITY;
    const timer = setInterval(() => {
      const { bavail, bsize } = statfsSync(subject.base);
      leastFree = Math.min(leastFree, bavail * bsize);
    }, 1);
    onTestFinished(() => clearInterval(timer));
    const load = subject.load(packed('2', 200 * MIB, isOrdered));
    await expect(load).rejects.toThrow(/there is no room in .* of free space, found/);
    // It is looked at before each 16 MiB that go into the tree.
    expect(leastFree).toBeGreaterThan(LEFT_BYTES - 32 * MIB);
    expect(subject.version()).toBe('1');
    expect(existsSync(subject.file)).toBe(true);
    expect(readdirSync(join(subject.base, 'data01'))).toEqual([]);
  });
}
