/** docs/metrics.md, made of what a server shows: `npm run docs:metrics` writes it anew. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { HttpSubject } from '../http/http-subject.ts';

const INTRO = `# Metrics

<!-- Made of what /metrics shows by "npm run docs:metrics": change the declarations in src, not this page. -->

What \`/metrics\` shows, in the text format of Prometheus. [Monitoring](monitoring.md) says how to get it.
\`data_set\` is the prefix of a data set, and empty for one without. Counters begin again with the process, and
when a client sends \`stats reset\`.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
`;

async function metricsText(): Promise<string> {
  const subject = await HttpSubject.start();
  return (await subject.ask('/metrics')).text;
}

function rowsOf(text: string): readonly string[] {
  const family = /^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)\n\S+?(?:\{(.*)\})? /gm;
  return [...text.matchAll(family)].map(([, name, help, type, labels = '']) => {
    const names = [...labels.matchAll(/([a-z_0-9]+)="/g)].map(([, label]) => `\`${label}\``);
    return `| \`${name}\` | ${type} | ${names.join(', ')} | ${help} |`;
  });
}

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

test('docs/metrics.md lists what a server shows: else run "npm run docs:metrics"', async () => {
  const page = `${INTRO}${rowsOf(await metricsText()).join('\n')}\n`;
  await expect(page).toMatchFileSnapshot('../../docs/metrics.md');
});

test('the alert rules ask for metrics that there are, and the runbook has each alert', () => {
  const rules = read('deploy/prometheus/goromdb.rules.yml');
  const listed = read('docs/metrics.md');
  const asked = [...rules.matchAll(/\bgoromdb_\w+/g)].map(([name]) => name);
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.filter((name) => !listed.includes(`| \`${name}\` |`))).toEqual([]);
  const runbook = read('docs/monitoring.md');
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, alert]) => alert);
  expect(alerts.filter((alert) => !runbook.includes(`### ${alert}\n`))).toEqual([]);
});
