import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GeneratedData } from '../src/load/data-set.ts';
import { drop, makeJson, makeLmdb } from './data.ts';
import { isThere, placesFor } from './machine.ts';
import { type LoadOptions, loadOnce, type Measured, measure } from './measure.ts';
import { CONNECTION_COUNTS, KEY_COUNTS, MAIN, MORE, type Scenario, VALUES } from './scenarios.ts';
import { type Running, startGoromdb, startMemcached } from './servers.ts';

/** One line of the report: goromdb beside memcached. */
export interface Row {
  readonly name: string;
  /** What is plotted against: keys or connections. */
  readonly x?: number;
  readonly goromdb: Measured;
  readonly memcached: Measured;
}

/** One figure of its own. */
interface Note {
  readonly name: string;
  readonly text: string;
}

export interface SectionResult {
  readonly rows: readonly Row[];
  readonly notes: readonly Note[];
}

/** How long and how often to measure. */
interface Effort {
  readonly seconds: number;
  readonly rounds: number;
  /** Keys at most, for machines with little memory or time. */
  readonly keysMax: number;
}

type Section = (effort: Effort) => Promise<SectionResult>;

const VALUE_BYTES = 100;

/** The parts of the benchmark, each of which can be run alone. */
export const SECTIONS: Readonly<Record<string, Section>> = {
  main: (effort) => scenarios(MAIN, { keys: 100_000, valueBytes: VALUE_BYTES }, effort),
  million: (effort) => scenarios(MAIN, { keys: 1_000_000, valueBytes: VALUE_BYTES }, effort),
  more: (effort) => scenarios(MORE, { keys: 100_000, valueBytes: VALUE_BYTES }, effort),
  values: valueSizes,
  threads: twoThreads,
  rate: openLoop,
  keys: keyCounts,
  connections: connectionCounts,
  loading,
  swapping,
  heap: steadyHeap,
};

type Pair = {
  readonly goromdb: Running;
  readonly memcached: Running;
  readonly options: LoadOptions;
};

/** Starts both servers with the same data, and stops them whatever happens. */
async function withPair<T>(
  data: GeneratedData,
  threads: number,
  { seconds, rounds }: Effort,
  use: (pair: Pair) => Promise<T>,
): Promise<T> {
  return withFolder(async (folder) => {
    const places = placesFor(threads);
    const start = { data, threads, cpus: places.server, folder };
    const goromdb = await startGoromdb(start);
    try {
      const memcached = await startMemcached(start);
      try {
        const options = { ...data, flags: [], seconds, rounds, places };
        return await use({ goromdb, memcached, options });
      } finally {
        await memcached.stop();
      }
    } finally {
      await goromdb.stop();
    }
  });
}

async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'goromdb-bench-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare({ goromdb, memcached, options }: Pair, scenario: Scenario): Promise<Row> {
  const [ours, theirs] = await measure([goromdb, memcached], {
    ...options,
    flags: scenario.flags,
  });
  return { name: scenario.name, goromdb: ours, memcached: theirs };
}

async function scenarios(
  list: readonly Scenario[],
  data: GeneratedData,
  effort: Effort,
  threads = 1,
): Promise<SectionResult> {
  return withPair(data, threads, effort, async (pair) => {
    const rows: Row[] = [];
    for (const scenario of list) rows.push(await compare(pair, scenario));
    return { rows, notes: [] };
  });
}

async function valueSizes(effort: Effort): Promise<SectionResult> {
  const rows: Row[] = [];
  for (const data of VALUES) {
    const name = `single get, values of ${data.valueBytes} bytes, ${data.keys} keys`;
    const result = await scenarios([{ name, flags: [] }], data, effort);
    rows.push(...result.rows);
  }
  return { rows, notes: [] };
}

async function twoThreads(effort: Effort): Promise<SectionResult> {
  const list = MAIN.map(({ name, flags }) => ({ name: `${name}, 2 threads`, flags }));
  return scenarios(list, { keys: 100_000, valueBytes: VALUE_BYTES }, effort, 2);
}

/** Latency at half of memcached's peak rate, with requests sent on time. */
async function openLoop(effort: Effort): Promise<SectionResult> {
  const data = { keys: 100_000, valueBytes: VALUE_BYTES };
  return withPair(data, 1, effort, async (pair) => {
    const [peak] = await measure([pair.memcached], { ...pair.options, rounds: 1 });
    const rate = Math.round(peak.requestsPerSecond.median / 2);
    const name = `single get at ${rate} requests/s`;
    return { rows: [await compare(pair, { name, flags: ['-rate', String(rate)] })], notes: [] };
  });
}

async function keyCounts(effort: Effort): Promise<SectionResult> {
  const rows: Row[] = [];
  for (const keys of KEY_COUNTS.filter((count) => count <= effort.keysMax)) {
    const list = [{ name: `multi-get 100, ${keys} keys`, flags: ['-multi', '100'] }];
    const result = await scenarios(list, { keys, valueBytes: VALUE_BYTES }, effort);
    rows.push({ ...result.rows[0], x: keys });
  }
  return { rows, notes: [] };
}

async function connectionCounts(effort: Effort): Promise<SectionResult> {
  const data = { keys: 100_000, valueBytes: VALUE_BYTES };
  return withPair(data, 1, effort, async (pair) => {
    const rows: Row[] = [];
    for (const count of CONNECTION_COUNTS) {
      const name = `single get, ${count} connections`;
      const flags = ['-connections', String(count)];
      const row = await compare(pair, {
        name,
        flags: count < pair.options.places.loadThreads ? [...flags, '-threads', '1'] : flags,
      });
      rows.push({ ...row, x: count });
    }
    return { rows, notes: [] };
  });
}

/** Seconds of the stages as the log line of a generation tells them. */
function stagesOf(log: string): Record<string, number> {
  const line = log.split('\n').findLast((text) => text.includes(' serves from slot ')) ?? '';
  const stages = line.slice(line.lastIndexOf(';')).matchAll(/(\w+) ([\d.]+) s/g);
  return Object.fromEntries([...stages].map(([, name, seconds]) => [name, Number(seconds)]));
}

/** How fast files are loaded, and how long a start with a loaded slot takes. */
async function loading({ keysMax }: Effort): Promise<SectionResult> {
  const data = { keys: Math.min(1_000_000, keysMax), valueBytes: VALUE_BYTES };
  const makers = { JSON: makeJson, ...(isThere('mdb_load', '-V') ? { LMDB: makeLmdb } : {}) };
  const notes: Note[] = [];
  for (const [format, make] of Object.entries(makers)) {
    await withFolder(async (folder) => {
      const file = join(folder, 'data.json');
      make(`${file}.made`, data);
      await drop(`${file}.made`, file);
      const options = { data, threads: 1, cpus: undefined, folder };
      const first = await startGoromdb(options);
      const stages = stagesOf(first.log());
      await first.stop();
      notes.push(loadingNote(format, data.keys, stages));
      const startedAt = performance.now();
      // The slot holds the generation now; nothing is dropped.
      const second = await startGoromdb(options, 'slot');
      const seconds = (performance.now() - startedAt) / 1000;
      await second.stop();
      notes.push({ name: `${format}, start with a loaded slot`, text: `${seconds.toFixed(2)} s` });
    });
  }
  return { rows: [], notes };
}

function loadingNote(format: string, keys: number, stages: Record<string, number>): Note {
  const work = (stages.scan ?? 0) + (stages.index ?? 0);
  const all = Object.values(stages).reduce((sum, seconds) => sum + seconds, 0);
  const rate = (seconds: number): string => (keys / seconds / 1e6).toFixed(2);
  const list = Object.entries(stages).map(([name, seconds]) => `${name} ${seconds} s`);
  return {
    name: `${format}, ${keys} keys`,
    text: `scan and index ${rate(work)} million keys/s; with all stages ${rate(all)} (${list.join(', ')})`,
  };
}

/** Latency at a fixed rate while a new version is dropped each second, and without. */
async function swapping({ seconds }: Effort): Promise<SectionResult> {
  const data = { keys: 100_000, valueBytes: VALUE_BYTES };
  return withFolder(async (folder) => {
    const places = placesFor(1);
    const goromdb = await startGoromdb({ data, threads: 1, cpus: places.server, folder });
    try {
      const flags = ['-rate', '10000'];
      const options = { ...data, flags, seconds: Math.max(5, seconds), rounds: 1, places };
      const steady = await loadOnce(goromdb, options);
      const made = join(folder, 'made');
      mkdirSync(made);
      let isOver = false;
      const dropping = (async () => {
        while (!isOver) {
          makeJson(join(made, 'data.json'), data);
          await drop(join(made, 'data.json'), join(folder, 'data.json'));
          await new Promise((wake) => setTimeout(wake, 1_000));
        }
      })();
      const swapped = await loadOnce(goromdb, options);
      isOver = true;
      await dropping;
      const generations = goromdb.log().split(' serves from slot ').length - 1;
      const text = (report: typeof steady): string =>
        `p50 ${micros(report.latencyMs.p50)}, p99 ${micros(report.latencyMs.p99)}, p99.9 ${micros(report.latencyMs.p999)}`;
      return {
        rows: [],
        notes: [
          { name: '10,000 single gets a second, steady', text: text(steady) },
          { name: 'the same, a new version each second', text: text(swapped) },
          { name: 'generations served meanwhile', text: String(generations) },
        ],
      };
    } finally {
      await goromdb.stop();
    }
  });
}

function micros(ms: number): string {
  return ms < 10 ? `${Math.round(ms * 1000)} µs` : `${ms.toFixed(1)} ms`;
}

/** Memory of the server before and after a million requests and more. */
async function steadyHeap({ seconds }: Effort): Promise<SectionResult> {
  const data = { keys: 100_000, valueBytes: VALUE_BYTES };
  return withFolder(async (folder) => {
    const places = placesFor(1);
    const goromdb = await startGoromdb({ data, threads: 1, cpus: places.server, folder });
    try {
      const options = { ...data, flags: ['-pipeline', '16'], seconds, rounds: 1, places };
      const notes: Note[] = [];
      let requests = 0;
      for (const round of [1, 2, 3, 4]) {
        const report = await loadOnce(goromdb, options);
        requests += report.stats.requests;
        const resident = (report.server!.residentBytes / 1e6).toFixed(1);
        notes.push({ name: `round ${round}: ${requests} requests so far`, text: `${resident} MB` });
      }
      return { rows: [], notes };
    } finally {
      await goromdb.stop();
    }
  });
}
