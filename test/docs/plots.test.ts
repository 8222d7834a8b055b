/** Draws the plots of the documentation from the tables of its notebook: `npm run docs:plots`. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bars, DARK, LIGHT, type Plot } from './bars.ts';
import { ROOT, read, sectionOf } from './pages.ts';

const NOTEBOOK = 'docs/performance-notes.md';

/** The cells of a section's table, row by row. */
function rowsOf(heading: string): readonly (readonly string[])[] {
  const lines = sectionOf(`${NOTEBOOK}#${heading}`).split('\n');
  return lines
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
}

/** CPU time for each key, of both servers. `keys`: how many keys a request of this row has. */
function cpu(scenario: string, keys: number): readonly number[] {
  const rows = rowsOf('1000000-keys-values-of-100-bytes-1-thread');
  const at = rows.findIndex(([, name]) => name === scenario);
  return [rows[at], rows[at + 1]].map(([, , , micros]) =>
    Number((Number.parseFloat(micros) / keys).toFixed(2)),
  );
}

/** p50, p99 and p99.9 of a row, in milliseconds. */
function waits(row: readonly string[]): readonly number[] {
  const found = [...row[2].matchAll(/p[\d.]+ (\d+) µs/g)].map(
    ([, micros]) => Number(micros) / 1000,
  );
  return found.map((ms) => Number(ms.toPrecision(2)));
}

function speed(): Plot {
  const groups = [
    { name: 'single gets', values: cpu('single get, 50 connections', 1) },
    { name: '16 pipelined requests', values: cpu('pipelined 16', 1) },
    { name: 'multi-gets of 100 keys', values: cpu('multi-get 100', 100) },
  ];
  return { title: 'CPU time for each key', unit: 'µs', series: ['goromdb', 'memcached'], groups };
}

function latency(): Plot {
  const rows = rowsOf('latency-while-a-new-version-is-loaded-and-swapped-in');
  const at = rows.findIndex(([, name]) => /^1000000 keys.*steady$/.test(name));
  const [steady, loading] = [waits(rows[at]), waits(rows[at + 1])];
  const groups = ['p50', 'p99', 'p99.9'].map((name, i) => ({
    name,
    values: [loading[i], steady[i]],
  }));
  return {
    title: 'Latency of single gets',
    unit: 'ms',
    series: ['with a load in ten seconds', 'without a load'],
    groups,
  };
}

describe.each([
  ['speed', speed()],
  ['latency', latency()],
])('the plot of %s', (name, plot) => {
  it('has figures', () => {
    for (const { values } of plot.groups) {
      expect(values).toHaveLength(2);
      for (const value of values) expect(value).toBeGreaterThan(0);
    }
  });

  it.each([
    ['', LIGHT],
    ['-dark', DARK],
  ])('is docs/images/NAME%s.svg, and shows what was measured', async (suffix, theme) => {
    const file = join(ROOT, `docs/images/${name}${suffix}.svg`);
    await expect(bars(plot, theme)).toMatchFileSnapshot(file);
  });
});

it('performance.md has the figures of the notebook', () => {
  const page = read('docs/performance.md');
  const ratios = rowsOf('1000000-keys-values-of-100-bytes-1-thread').map(
    ([, , , , ratio]) => ratio,
  );
  const shown = ratios.flatMap((ratio) => /[\d.]+ ×/.exec(ratio) ?? []);
  expect(shown).toHaveLength(3);
  for (const ratio of shown) {
    expect(page).toContain(ratio);
    expect(read('README.md')).toContain(ratio);
  }
});
