/** What the main thread holds for threads that swap, fail and end. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/common/log.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { Threads, type ThreadsOptions } from '../../src/server/threads/threads.ts';
import { openTableMap, type TableMap } from '../../src/storage/table/table-map.ts';
import { temporaryFolder } from '../support/folder.ts';
import { moduleUrl } from '../support/mortal.ts';
import { infoOf } from '../support/storages.ts';
import { writeTable } from '../support/table-file.ts';

function startThreads(options: Partial<ThreadsOptions> = {}): Threads {
  const threads = new Threads({
    ...{ threads: 2, protocol: 'memcached', handler: 'simple', limits: DEFAULT_LIMITS },
    ...{ access: { allow: [] }, sessions: {}, shutdown: undefined, settings: {} },
    logger: silentLogger,
    onFailure: () => {},
    ...options,
  });
  onTestFinished(() => threads.close());
  return threads;
}

async function mapOf(path: string): Promise<TableMap> {
  await writeTable(path, [['key', 'v'.repeat(100_000)]]);
  const map = await openTableMap(path);
  onTestFinished(() => map.release());
  return map;
}

function mapsIn(folder: string): number {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return lines.filter((line) => line.includes(folder) && !line.includes('-lock')).length;
}

/** Goes over to a table, keeps some of its memory for ever, and then says that it could not. */
const keeping = (): string =>
  moduleUrl(`
    import { createSimpleHandler } from '$goromdb';
    export default (storage) => ({
      ...createSimpleHandler(storage),
      swap: (next) => {
        next.get(Buffer.from('key'), 0, 3).lease.retain();
        throw new Error('cannot swap');
      },
    });`);

describe('a map that serving threads were given', () => {
  test('is held as long as one that could not swap to it reads from it', async () => {
    const folder = temporaryFolder();
    const map = await mapOf(join(folder, 'table.mdb'));
    const threads = startThreads({ handler: keeping() });
    await expect(threads.swap('', map, infoOf(1, 1, 1))).rejects.toThrow('cannot swap');
    map.release();
    expect(mapsIn(folder)).toBe(1);
    await threads.close();
    expect(mapsIn(folder)).toBe(0);
  });

  test('is let go of when they are closed, also by swaps that are under way or come later', async () => {
    const folder = temporaryFolder();
    const [first, second] = [
      await mapOf(join(folder, 'first.mdb')),
      await mapOf(join(folder, 'second.mdb')),
    ];
    const threads = startThreads();
    await threads.listen({ kind: 'unix', path: join(folder, 'socket') });
    await threads.swap('', first, infoOf(1, 1, 1));
    const swaps = [2, 3, 4].map((generation) =>
      threads.swap('', generation % 2 === 0 ? second : first, infoOf(1, 1, generation)),
    );
    await threads.close();
    await Promise.allSettled([...swaps, threads.swap('', second, infoOf(1, 1, 5))]);
    // Both are still held here.
    expect(mapsIn(folder)).toBe(2);
    first.release();
    second.release();
    expect(mapsIn(folder)).toBe(0);
  });
});
