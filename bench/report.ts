import type { Figure } from './measure.ts';
import { plot, type Series } from './plot.ts';
import { type Row, resultOf, type SectionResult, type ServerResult } from './result.ts';

/** All that was measured, by section, with the machine it was measured on. */
export type Results = Readonly<
  Record<string, { readonly machine: readonly string[]; readonly result: SectionResult }>
>;

const TITLES: Readonly<Record<string, string>> = {
  main: '100,000 keys, values of 100 bytes, 1 thread',
  million: '1,000,000 keys, values of 100 bytes, 1 thread',
  more: 'Other requests, 100,000 keys',
  values: 'Values by length',
  threads: 'By number of threads',
  rate: "Half of memcached's peak rate, requests sent on time",
  keys: 'Cost by number of keys',
  connections: 'Throughput by number of connections',
  building: 'Making a file of 1,000,000 records',
  loading: 'Loading',
  starting: 'Starts and rollbacks',
  swapping: 'Latency while a new version is loaded and swapped in',
  heap: 'Memory over many requests',
  scraped: 'With -http, and a scrape of /metrics each second',
  cluster: 'One data set over several servers; ratios are to the last of each group',
  once: 'Keys that can be set only once',
  attacks: 'Waits of a client beside one that attacks the same thread',
};

/** What a section's plots are called, and their files beside the report. */
const PLOTS: Readonly<Record<string, readonly (readonly [title: string, file: string])[]>> = {
  keys: [
    ['CPU of a key in a multi-get of 100', 'cpu-by-keys.svg'],
    ['Resident memory, values of 100 bytes', 'memory-by-keys.svg'],
  ],
  connections: [['Single gets a second', 'throughput-by-connections.svg']],
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
    if (plotted(entry).length > 1) {
      lines.push(...(PLOTS[name] ?? []).map(([what, file]) => `![${what}](${file})`), '');
    }
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
  return [
    '| | server | CPU µs/request | ratio | requests/s | ratio | p50 / p99 / p99.9 µs | RSS MB | CPUs |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows.flatMap((row) => row.servers.map((it, i) => line(i === 0 ? row.name : '', it, row))),
  ];
}

function line(name: string, it: ServerResult, row: Row): string {
  const of = (figure: Figure, digits: number): string =>
    `${figure.median.toFixed(digits)} (${figure.min.toFixed(digits)}–${figure.max.toFixed(digits)})`;
  const us = (figure: Figure): string => String(Math.round(figure.median * 1000));
  const baseline = resultOf(row, 'memcached') ?? row.servers.at(-1)!;
  const ratio = (which: 'cpuMicros' | 'requestsPerSecond'): string => {
    if (it === baseline) return '';
    const text = `${(it[which].median / baseline[which].median).toFixed(2)} ×`;
    return it.server === 'goromdb' ? `**${text}**` : text;
  };
  const cells = [
    name,
    it.server,
    of(it.cpuMicros, 2),
    ratio('cpuMicros'),
    of(it.requestsPerSecond, 0),
    ratio('requestsPerSecond'),
    [it.p50Ms, it.p99Ms, it.p999Ms].map(us).join(' / '),
    (it.residentBytes / 1e6).toFixed(0),
    it.cpus.median.toFixed(2),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The plots by file name. */
export function plots(results: Results): Readonly<Record<string, string>> {
  const drawn: Record<string, string> = {};
  const draw = (section: string, xName: string, ys: readonly Axis[]): void => {
    const rows = plotted(results[section]);
    if (rows.length < 2) return;
    PLOTS[section].forEach(([title, file], i) => {
      const [yName, y] = ys[i];
      drawn[file] = plot(title, xName, yName, lines(rows, y));
    });
  };
  draw('keys', 'keys', [
    ['µs', (it) => it.cpuMicros.median / 100],
    ['MB', (it) => it.residentBytes / 1e6],
  ]);
  draw('connections', 'connections', [['requests/s', (it) => it.requestsPerSecond.median]]);
  return drawn;
}

type Axis = readonly [name: string, of: (it: ServerResult) => number];

function plotted(entry: Results[string] | undefined): readonly Row[] {
  return (entry?.result.rows ?? []).filter((row) => row.x !== undefined);
}

const COLORS: Readonly<Record<string, string>> = {
  goromdb: '#c33',
  memcached: '#36c',
  Redis: '#393',
  'goromdb (Go)': '#888',
};

function lines(rows: readonly Row[], y: (it: ServerResult) => number): readonly Series[] {
  return Object.entries(COLORS).flatMap(([name, color]) => {
    const points = rows.flatMap((row): Series['points'] => {
      const it = resultOf(row, name);
      return it === undefined ? [] : [[row.x!, y(it)]];
    });
    return points.length === 0 ? [] : [{ name, color, points }];
  });
}
