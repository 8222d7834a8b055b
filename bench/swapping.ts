import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GeneratedData } from '../src/traffic/data-set.ts';
import type { TrafficReport } from '../src/traffic/traffic.ts';
import { withFolder } from './contest.ts';
import { drop, makeJson, makeLmdb, md5Of } from './data.ts';
import { loadsIn, totalOf, untilLoaded } from './generations.ts';
import type { Places } from './machine.ts';
import { type Figure, type LoadOptions, loadOnce, type Measured, summed } from './measure.ts';
import type { Running } from './processes.ts';
import type { Effort, Note, SectionResult } from './result.ts';
import { VALUE_BYTES } from './scenarios.ts';
import { fileOf, startGoromdb } from './servers.ts';

/** Requests a second: far from what the server can do, so that only standing still shows. */
const RATE = 10_000;

/** Percentiles need some thousands of requests behind the last one. */
const SECONDS_MIN = 5;

/** A million keys take six seconds beside data that serves: then they have yet to be swapped in. */
const LARGE_SECONDS_MIN = 10;

const SWAP_INTERVAL_MS = 1_000;

/** How much longer than it measures a load takes: to start, to warm up, to end. */
const LOAD_OVERHEAD_SECONDS = 4;

/** When a load that was begun measures: its threads start, connect and warm up before. */
const BEGIN_MS = 1_000;

/** A load has threads of its own beside the one that serves: all have all processors. */
const ANYWHERE: Places = { server: undefined, load: undefined, loadThreads: 1 };

/** Data of a version that can be dropped again and again. */
interface Version {
  readonly source: string;
  readonly md5: string;
  readonly file: string;
}

/** A server whose data set is replaced while it is loaded. */
interface Trial {
  readonly goromdb: Running;
  readonly version: Version;
  readonly options: LoadOptions;
}

/** Latency at a fixed rate while data sets are loaded and swapped in, and without. */
export async function swapping({ seconds, rounds, keysMax }: Effort): Promise<SectionResult> {
  const notes: Note[] = [];
  const small = { keys: 100_000, valueBytes: VALUE_BYTES };
  await withTrial(small, makeJson, Math.max(SECONDS_MIN, seconds), async (trial) => {
    const reports = await inTurn(rounds, trial, swapEachSecond);
    notes.push(...compared(small, 'a new version each second, JSON', reports));
    const count = loadsIn(trial.goromdb.log()).length - 1;
    notes.push({ name: 'versions served meanwhile', text: String(count) });
  });
  const large = { keys: Math.min(1_000_000, keysMax), valueBytes: VALUE_BYTES };
  const longEnough = Math.max(LARGE_SECONDS_MIN, seconds);
  for (const [format, make] of Object.entries({ JSON: makeJson, LMDB: makeLmdb })) {
    await withTrial(large, make, longEnough, async (trial) => {
      const reports = await inTurn(rounds, trial, swapOnce);
      notes.push(...compared(large, `one new version, ${format}`, reports));
      const loads = loadsIn(trial.goromdb.log()).slice(1);
      const times = loads.map((stages) => totalOf(stages).toFixed(2)).join(', ');
      const text = `${times} of the ${longEnough} s in which it was measured`;
      notes.push({ name: 'a version was loaded in', text });
    });
  }
  return { rows: [], notes };
}

function withTrial(
  data: GeneratedData,
  make: (path: string, data: GeneratedData) => void,
  seconds: number,
  use: (trial: Trial) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const places = ANYWHERE;
    const source = join(folder, 'version');
    make(source, data);
    const version = { source, md5: await md5Of(source), file: fileOf(folder, 'goromdb') };
    for (const copy of copiesOf(version, 1)) drop(copy, version.file, version.md5);
    const goromdb = await startGoromdb({ data, threads: 1, cpus: places.server, folder });
    try {
      const options = { ...data, flags: ['-rate', String(RATE)], seconds, rounds: 1, places };
      await use({ goromdb, version, options });
    } finally {
      await goromdb.stop();
    }
  });
}

/** Loads with and without swaps in turn, so that a machine whose speed drifts is unfair to none. */
async function inTurn(
  rounds: number,
  trial: Trial,
  swapped: (trial: Trial) => Promise<TrafficReport>,
): Promise<{ readonly steady: Measured; readonly swapped: Measured }> {
  const reports: Record<'steady' | 'swapped', TrafficReport[]> = { steady: [], swapped: [] };
  for (let round = 0; round < rounds; round++) {
    reports.steady.push(await loadOnce(trial.goromdb, trial.options));
    reports.swapped.push(await swapped(trial));
  }
  return { steady: summed(reports.steady), swapped: summed(reports.swapped) };
}

async function swapEachSecond({ goromdb, version, options }: Trial): Promise<TrafficReport> {
  const copies = copiesOf(version, Math.ceil(options.seconds) + LOAD_OVERHEAD_SECONDS);
  let isOver = false;
  const dropping = (async (): Promise<void> => {
    for (const copy of copies) {
      if (isOver) return;
      drop(copy, version.file, version.md5);
      await sleep(SWAP_INTERVAL_MS);
    }
  })();
  const report = await loadOnce(goromdb, options);
  isOver = true;
  await dropping;
  return report;
}

async function swapOnce({ goromdb, version, options }: Trial): Promise<TrafficReport> {
  const before = loadsIn(goromdb.log()).length;
  const [copy] = copiesOf(version, 1);
  const loaded = loadOnce(goromdb, options);
  await sleep(BEGIN_MS);
  drop(copy, version.file, version.md5);
  const report = await loaded;
  await untilLoaded(goromdb, before + 1);
  return report;
}

/** Made before it is measured: what a producer does elsewhere is not the server's work. */
function copiesOf({ source, file }: Version, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => {
    copyFileSync(source, `${file}.made-${i}`);
    return `${file}.made-${i}`;
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}

function compared(
  { keys }: GeneratedData,
  what: string,
  { steady, swapped }: { readonly steady: Measured; readonly swapped: Measured },
): readonly Note[] {
  const ratio = (of: 'p99Ms' | 'p999Ms'): string =>
    (swapped[of].median / steady[of].median).toFixed(2);
  return [
    { name: `${keys} keys, ${RATE} single gets a second, steady`, text: latencies(steady) },
    {
      name: `the same, ${what}`,
      text: `${latencies(swapped)}; ${ratio('p99Ms')} and ${ratio('p999Ms')} × the steady p99 and p99.9`,
    },
  ];
}

function latencies({ p50Ms, p99Ms, p999Ms }: Measured): string {
  return `p50 ${spread(p50Ms)}, p99 ${spread(p99Ms)}, p99.9 ${spread(p999Ms)}`;
}

function spread({ median, min, max }: Figure): string {
  return `${micros(median)} (${micros(min)}–${micros(max)})`;
}

function micros(ms: number): string {
  return ms < 10 ? `${Math.round(ms * 1000)} µs` : `${ms.toFixed(1)} ms`;
}
