import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { dropOf, LoaderHarness, version } from '../loader/loader-harness.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { tableBytes } from '../support/table-bytes.ts';
import { TextClient } from '../support/text-client.ts';

const PRELOAD = fileURLToPath(new URL('../support/crash-point.mjs', import.meta.url));
/** A swap has fewer; more would mean that it never ends. */
const STEPS_MAX = 200;

/** What the server answers until it dies, or until version 3 serves; the last answer. */
async function watch(goromdb: GoromdbProcess): Promise<string | undefined> {
  let seen: string | undefined;
  try {
    const client = await TextClient.connect(await goromdb.address());
    while (seen !== '3') seen = (await client.get(['v']))[0]?.value.toString();
    client.close();
  } catch {
    // It was killed.
  }
  return seen;
}

function isServing(harness: LoaderHarness): boolean {
  return existsSync(`${harness.file}.status.json`) && harness.receipt().state === 'serving';
}

/** Makes the file of a version. */
const FORMATS: [string, (v: number) => Promise<string | Buffer>][] = [
  ['a JSON file', async (v) => version(v)],
  ['a table', (v) => tableBytes([['v', String(v)]])],
];

test.each(FORMATS)(
  'killed at any step of a swap to %s, it serves what it did, or what came',
  async (...made) => {
    const [, fileOf] = made;
    const third = await fileOf(3);
    const log = join(temporaryFolder(), 'steps');
    vi.stubEnv('GOROMDB_CRASH_LOG', log);
    vi.stubEnv('NODE_OPTIONS', `--import ${PRELOAD}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    const before = temporaryFolder();
    const harness = new LoaderHarness({ scanner: 'auto' });
    await harness.start();
    for (const v of [1, 2]) await harness.load(await fileOf(v));
    await harness.end();
    cpSync(harness.base, before, { recursive: true });

    const outcomes = new Set<string>();
    let step = 1;
    for (; step <= STEPS_MAX; step++) {
      rmSync(harness.base, { recursive: true });
      cpSync(before, harness.base, { recursive: true });
      rmSync(log, { force: true });
      rmSync(`${harness.file}.status.json`, { force: true });
      drop(harness.file, third);
      vi.stubEnv('GOROMDB_CRASH_AT', String(step));
      const flags = ['-addr', '127.0.0.1:0', '-file', harness.file, '-basedir', harness.base];
      const goromdb = new GoromdbProcess(flags);
      const seen = await watch(goromdb);
      // The last steps of a swap come after the threads swapped, and there are some at the end, too.
      const isOver = (): boolean => goromdb.hasEnded || isServing(harness);
      if (seen === '3') await expect.poll(isOver, { interval: 5 }).toBe(true);
      if (seen === '3') await goromdb.kill('SIGTERM');
      else await goromdb.exit();
      if (goromdb.child.signalCode !== 'SIGKILL') break;

      const context = `step ${step}: ${readFileSync(log, 'utf8').split('\n').at(-2)}`;
      expect(await harness.start(), context).toBe(true);
      // Never older than what a client has seen, and never a part.
      const isTaken = seen === '3' || !existsSync(harness.file);
      expect(isTaken ? ['3'] : ['2', '3'], context).toContain(harness.value);
      expect(harness.generation, context).toBe(Number(harness.value));
      outcomes.add(`${seen} then ${harness.value}`);
      if (existsSync(harness.file)) {
        await harness.loadDrop(dropOf(harness.file, md5(third)));
      }
      expect(harness.value, context).toBe('3');
      await harness.end();
      // Killed before the first write, there is none: nothing was offered, and nothing was taken.
      const receipt = existsSync(`${harness.file}.status.json`) ? harness.receipt() : undefined;
      if (receipt) expect(receipt, context).toMatchObject({ state: 'serving', md5: md5(third) });
    }
    expect(step).toBeLessThan(STEPS_MAX);
    // Kills came before the file had moved, between that and the swap of the threads, and after it.
    expect(outcomes).toContain('2 then 2');
    expect(outcomes).toContain('2 then 3');
    expect(outcomes).toContain('3 then 3');
    const steps = readFileSync(log, 'utf8');
    for (const path of ['generation.json', 'data.db.md5', 'data.db', 'data.json.md5']) {
      expect(steps).toContain(path);
    }
  },
);
