/** The dashboard: its queries are right, ask for what there is, and its parts do not lie over each other. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { ROOT, run } from './program.ts';

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: {
    readonly h: number;
    readonly w: number;
    readonly x: number;
    readonly y: number;
  };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly definition?: string }[];
  };
}

const DASHBOARD = JSON.parse(
  readFileSync(join(ROOT, 'deploy/grafana/goromdb.json'), 'utf8'),
) as Dashboard;
const { panels, annotations, templating } = DASHBOARD;
const TARGETS = panels.flatMap(({ targets = [] }) => targets);
const QUERIES = [...TARGETS, ...annotations.list].map(({ expr }) => expr);

/** The labels of each metric, as docs/metrics.md lists them. */
const LABELS = new Map(
  [
    ...readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8').matchAll(
      /^\| `(\w+)` \| (\w+) \| (.*?) \|/gm,
    ),
  ].map(([, name, , labels]) => [name, [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label)]),
);

/** The names of metrics in a text, without what a histogram adds. */
function metricsIn(text: string): readonly string[] {
  const names = [...text.matchAll(/\bgoromdb_\w+/g)].map(([name]) => name);
  return names.map((name) => name.replace(/_bucket$/, ''));
}

it('the queries are such as Prometheus takes', () => {
  expect(QUERIES.length).toBeGreaterThan(20);
  const rules = QUERIES.map((query, i) => {
    const expr = query.replaceAll('$__rate_interval', '5m');
    return { record: `query:${i}`, expr };
  });
  const file = join(temporaryFolder(), 'rules.yml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  const { code, text } = run('promtool', ['check', 'rules', file]);
  expect(code, text).toBe(0);
});

it('they ask for metrics and labels that there are', () => {
  const asked = [...QUERIES, ...templating.list.map(({ definition = '' }) => definition)];
  expect(asked.flatMap(metricsIn).filter((name) => !LABELS.has(name))).toEqual([]);
  for (const { expr, legendFormat } of TARGETS) {
    const known = [
      'job',
      'instance',
      'le',
      ...metricsIn(expr).flatMap((name) => LABELS.get(name)!),
    ];
    const groups = [...expr.matchAll(/ by \(([^)]*)\)/g)].flatMap(([, list]) => list.split(', '));
    const selected = [...expr.matchAll(/(\w+)=~?"/g)].map(([, label]) => label);
    const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    for (const label of [...groups, ...selected, ...shown]) expect(known, expr).toContain(label);
    // What is summed away cannot be shown.
    if (groups.length > 0) for (const label of shown) expect(groups, expr).toContain(label);
  }
});

it('each panel has a place of its own', () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    expect(x + w).toBeLessThanOrEqual(24);
    return Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
  });
  expect(new Set(cells).size).toBe(cells.length);
});
