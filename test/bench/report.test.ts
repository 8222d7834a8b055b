import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkRatios } from '../../bench/gate.ts';
import { plots, reportText } from '../../bench/report.ts';
import type { Row, ServerResult } from '../../bench/result.ts';
import { temporaryFolder } from '../support/folder.ts';

function figure(median: number): { median: number; min: number; max: number } {
  return { median, min: median, max: median };
}

function result(server: string, cpuMicros: number, requestsPerSecond: number): ServerResult {
  return {
    server,
    cpuMicros: figure(cpuMicros),
    requestsPerSecond: figure(requestsPerSecond),
    p50Ms: figure(0.1),
    p99Ms: figure(0.2),
    p999Ms: figure(0.3),
    residentBytes: 50e6,
    cpus: figure(1),
    checked: 7,
  };
}

const PAIR = [result('goromdb', 4, 200), result('memcached', 8, 100)];
const ALL: Row = { name: 'single get', x: 10, servers: [...PAIR, result('Redis', 6, 150)] };

function resultsOf(section: string, rows: readonly Row[]): Parameters<typeof reportText>[0] {
  return { [section]: { machine: ['a machine'], result: { rows, notes: [] } } };
}

describe('the report of the benchmark', () => {
  it('has a line for each server, with its ratios to memcached', () => {
    const lines = reportText(resultsOf('main', [ALL])).split('\n');
    const table = lines.slice(lines.findIndex((line) => line.startsWith('|---')) + 1);
    expect(table.slice(0, 3)).toEqual([
      '| single get | goromdb | 4.00 (4.00–4.00) | **0.50 ×** | 200 (200–200) | **2.00 ×** | 100 / 200 / 300 | 50 | 1.00 |',
      '|  | memcached | 8.00 (8.00–8.00) |  | 100 (100–100) |  | 100 / 200 / 300 | 50 | 1.00 |',
      '|  | Redis | 6.00 (6.00–6.00) | 0.75 × | 150 (150–150) | 1.50 × | 100 / 200 / 300 | 50 | 1.00 |',
    ]);
  });

  it('plots each server over the rows that it took part in', () => {
    const rows = [ALL, { name: 'more', x: 100, servers: PAIR }, { name: 'no plot', servers: PAIR }];
    const results = resultsOf('connections', rows);
    expect(reportText(results)).toContain('![Single gets a second](throughput-by-connections.svg)');
    const svg = plots(results)['throughput-by-connections.svg'];
    const points = [...svg.matchAll(/ points="([^"]*)"/g)].map(
      ([, text]) => text.split(' ').length,
    );
    expect(points).toEqual([2, 2, 1]);
    expect(svg).toContain('>Redis</text>');
  });

  it('has no plot of a single row', () => {
    const results = resultsOf('connections', [ALL]);
    expect(reportText(results)).not.toContain('.svg');
    expect(plots(results)).toEqual({});
  });
});

describe('the gate of CI', () => {
  it.each([
    [0.34, true],
    [0.32, false],
  ])('with a committed ratio of %d and one of 0.5 is good: %s', (committed, isGood) => {
    const path = join(temporaryFolder(), 'ratios.json');
    writeFileSync(path, JSON.stringify({ 'single get': committed }));
    expect(checkRatios([ALL], path).isGood).toBe(isGood);
  });
});
