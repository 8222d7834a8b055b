/** Sections that compare servers by one thing that changes. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { compare, scenarios, withServers, withStarted } from './contest.ts';
import { measure } from './measure.ts';
import { type Effort, type Note, type Row, resultOf, type SectionResult } from './result.ts';
import {
  CONNECTION_COUNTS,
  KEY_COUNTS,
  MAIN,
  MAPPED_KEY_COUNTS,
  THREAD_COUNTS,
  VALUE_BYTES,
  VALUES,
} from './scenarios.ts';
import { startGoromdb, startMemcached } from './servers.ts';

/** Values from 10 bytes to a megabyte. */
export async function valueSizes(effort: Effort): Promise<SectionResult> {
  const rows: Row[] = [];
  for (const data of VALUES) {
    const name = `single get, values of ${data.valueBytes} bytes, ${data.keys} keys`;
    const result = await scenarios([{ name, flags: [] }], data, effort);
    rows.push(...result.rows);
  }
  return { rows, notes: [] };
}

/**
 * One thread, two, and more where the load has processors of its own beside them. Two are measured
 * on any machine, for the processor time of a request.
 */
export async function threadCounts(effort: Effort): Promise<SectionResult> {
  const data = { keys: 100_000, valueBytes: VALUE_BYTES };
  const counts = THREAD_COUNTS.filter((n) => n <= 2 || 2 * n <= os.availableParallelism());
  const rowsByCount = new Map<number, readonly Row[]>();
  for (const threads of counts) {
    const many = `${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    const list = MAIN.map(({ name, flags }) => ({ name: `${name}, ${many}`, flags }));
    rowsByCount.set(threads, (await scenarios(list, data, effort, threads)).rows);
  }
  const [one, ...others] = [...rowsByCount];
  const notes = others.flatMap(([threads, rows]) =>
    rows.flatMap((row, i): readonly Note[] =>
      ['goromdb', 'memcached'].map((server) => ({
        name: `${server}, ${MAIN[i].name}: ${threads} threads against one`,
        text: againstOne(resultOf(one[1][i], server)!, resultOf(row, server)!),
      })),
    ),
  );
  return { rows: [...rowsByCount.values()].flat(), notes };
}

function againstOne(
  one: NonNullable<ReturnType<typeof resultOf>>,
  several: NonNullable<ReturnType<typeof resultOf>>,
): string {
  const cpu = several.cpuMicros.median / one.cpuMicros.median;
  const rate = several.requestsPerSecond.median / one.requestsPerSecond.median;
  return `${rate.toFixed(2)} × the requests a second, ${cpu.toFixed(2)} × the CPU for each`;
}

/** Latency at half of memcached's peak rate, with requests sent on time. */
export async function openLoop(effort: Effort): Promise<SectionResult> {
  const data = { keys: 100_000, valueBytes: VALUE_BYTES };
  return withServers(data, 1, effort, async (contest) => {
    const memcached = contest.servers.filter(({ name }) => name === 'memcached');
    const [peak] = await measure(memcached, { ...contest.options, rounds: 1 });
    const rate = Math.round(peak.requestsPerSecond.median / 2);
    const name = `single get at ${rate} requests/s`;
    return { rows: [await compare(contest, { name, flags: ['-rate', String(rate)] })], notes: [] };
  });
}

export async function keyCounts(effort: Effort): Promise<SectionResult> {
  const rows: Row[] = [];
  for (const keys of KEY_COUNTS.filter((count) => count <= effort.keysMax)) {
    const list = [
      { name: `single get, ${keys} keys`, flags: [] },
      { name: `multi-get 100, ${keys} keys`, flags: ['-multi', '100'] },
    ];
    const [single, multi] = (await scenarios(list, { keys, valueBytes: VALUE_BYTES }, effort)).rows;
    rows.push(single, { ...multi, x: keys });
  }
  return { rows, notes: [] };
}

export async function connectionCounts(effort: Effort): Promise<SectionResult> {
  const data = { keys: 100_000, valueBytes: VALUE_BYTES };
  return withServers(data, 1, effort, async (contest) => {
    const rows: Row[] = [];
    for (const count of CONNECTION_COUNTS) {
      const name = `single get, ${count} connections`;
      const flags = ['-connections', String(count)];
      const row = await compare(contest, {
        name,
        flags: count < contest.options.places.loadThreads ? [...flags, '-threads', '1'] : flags,
      });
      rows.push({ ...row, x: count });
    }
    return { rows, notes: [] };
  });
}

/** The same data in memory and in LMDB's map. */
export async function mapped(effort: Effort): Promise<SectionResult> {
  const rows: Row[] = [];
  const notes: Note[] = [];
  const { memcached } = effort.programs;
  for (const keys of MAPPED_KEY_COUNTS.filter((count) => count <= effort.keysMax)) {
    const starts = [
      (options: Parameters<typeof startGoromdb>[0]) => startGoromdb(options),
      (options: Parameters<typeof startGoromdb>[0]) => startGoromdb(options, 'drop', '0'),
      (options: Parameters<typeof startGoromdb>[0]) => startMemcached(memcached, options),
    ];
    const data = { keys, valueBytes: VALUE_BYTES };
    await withStarted(starts, data, 1, effort, async (contest) => {
      for (const { name, flags } of MAIN) {
        rows.push(await compare(contest, { name: `${name}, ${keys} keys`, flags }));
      }
      const { name, pid } = contest.servers[1];
      const megabytes = (filePagesOf(pid) / 1e6).toFixed(0);
      const text = `${megabytes} MB of its memory are pages of files, which the system can take back`;
      notes.push({ name: `${name}, ${keys} keys`, text });
    });
  }
  return { rows, notes };
}

/** Resident bytes that belong to files (proc(5)). */
function filePagesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^RssFile:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}
