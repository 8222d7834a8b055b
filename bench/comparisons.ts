/** Sections that compare servers by one thing that changes. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { compare, scenarios, withServers } from './contest.ts';
import { measure } from './measure.ts';
import { type Effort, type Note, type Row, resultOf, type SectionResult } from './result.ts';
import {
  CONNECTION_COUNTS,
  KEY_COUNTS,
  MAIN,
  THREAD_COUNTS,
  VALUE_BYTES,
  VALUES,
} from './scenarios.ts';

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
  const notes: Note[] = [];
  for (const keys of KEY_COUNTS.filter((count) => count <= effort.keysMax)) {
    const list = [
      { name: `single get, ${keys} keys`, flags: [] },
      { name: `multi-get 100, ${keys} keys`, flags: ['-multi', '100'] },
    ];
    await withServers({ keys, valueBytes: VALUE_BYTES }, 1, effort, async (contest) => {
      rows.push(await compare(contest, list[0]), { ...(await compare(contest, list[1])), x: keys });
      for (const { name, pid } of contest.servers) {
        const text = `${(ownBytesOf(pid) / 1e6).toFixed(0)} MB`;
        notes.push({ name: `${name}, ${keys} keys: anonymous memory (RssAnon)`, text });
      }
    });
  }
  return { rows, notes };
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

/** Bytes of a process that belong to no file (proc(5)): the system cannot take them back. */
function ownBytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}
