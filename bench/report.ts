import type { Figure } from './measure.ts';
import { plot, type Series } from './plot.ts';
import type { Row, SectionResult } from './sections.ts';

/** All that was measured, by section, with the machine it was measured on. */
export type Results = Readonly<
  Record<string, { readonly machine: readonly string[]; readonly result: SectionResult }>
>;

const TITLES: Readonly<Record<string, string>> = {
  main: '100,000 keys, values of 100 bytes, 1 thread',
  million: '1,000,000 keys, values of 100 bytes, 1 thread',
  more: 'Other requests, 100,000 keys',
  values: 'Values by length',
  threads: '2 threads',
  rate: "Half of memcached's peak rate, requests sent on time",
  keys: 'Cost by number of keys',
  connections: 'Throughput by number of connections',
  loading: 'Loading',
  swapping: 'A new version each second',
  heap: 'Memory over many requests',
};

/** The report in Markdown. */
export function reportText(results: Results): string {
  const lines = ['# Benchmark report', ''];
  for (const [name, title] of Object.entries(TITLES)) {
    const entry = results[name];
    if (entry === undefined) continue;
    const { rows, notes } = entry.result;
    lines.push(`## ${title}`, '', ...entry.machine.map((line) => `- ${line}`), '');
    if (rows.length > 0) lines.push(...table(rows), '');
    if (notes.length > 0) {
      lines.push(
        '| | |',
        '|---|---|',
        ...notes.map((note) => `| ${note.name} | ${note.text} |`),
        '',
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

function table(rows: readonly Row[]): readonly string[] {
  const of = (figure: Figure, digits: number): string =>
    `${figure.median.toFixed(digits)} (${figure.min.toFixed(digits)}–${figure.max.toFixed(digits)})`;
  const us = (figure: Figure): string => String(Math.round(figure.median * 1000));
  return [
    '| | server | CPU µs/request | ratio | requests/s | ratio | p50 / p99 / p99.9 µs | RSS MB | CPUs |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows.flatMap(({ name, goromdb, memcached }) =>
      Object.entries({ goromdb, memcached }).map(([server, it]) => {
        const isOurs = server === 'goromdb';
        const cells = [
          isOurs ? name : '',
          server,
          of(it.cpuMicros, 2),
          isOurs ? ratio(goromdb.cpuMicros, memcached.cpuMicros) : '',
          of(it.requestsPerSecond, 0),
          isOurs ? ratio(goromdb.requestsPerSecond, memcached.requestsPerSecond) : '',
          [it.p50Ms, it.p99Ms, it.p999Ms].map(us).join(' / '),
          (it.residentBytes / 1e6).toFixed(0),
          it.cpus.median.toFixed(2),
        ];
        return `| ${cells.join(' | ')} |`;
      }),
    ),
  ];
}

function ratio(ours: Figure, theirs: Figure): string {
  return `**${(ours.median / theirs.median).toFixed(2)} ×**`;
}

/** The plots by file name. */
export function plots(results: Results): Readonly<Record<string, string>> {
  const keys = results.keys?.result.rows ?? [];
  const connections = results.connections?.result.rows ?? [];
  return {
    ...(keys.length < 2
      ? {}
      : {
          'cpu-by-keys.svg': plot(
            'CPU of a key in a multi-get of 100',
            'keys',
            'µs',
            lines(keys, (it) => it.cpuMicros.median / 100),
          ),
          'memory-by-keys.svg': plot(
            'Resident memory, values of 100 bytes',
            'keys',
            'MB',
            lines(keys, (it) => it.residentBytes / 1e6),
          ),
        }),
    ...(connections.length < 2
      ? {}
      : {
          'throughput-by-connections.svg': plot(
            'Single gets a second',
            'connections',
            'requests/s',
            lines(connections, (it) => it.requestsPerSecond.median),
          ),
        }),
  };
}

function lines(rows: readonly Row[], y: (it: Row['goromdb']) => number): readonly Series[] {
  return [
    { name: 'goromdb', color: '#c33', points: rows.map((row) => [row.x!, y(row.goromdb)]) },
    { name: 'memcached', color: '#36c', points: rows.map((row) => [row.x!, y(row.memcached)]) },
  ];
}
