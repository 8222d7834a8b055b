/** docs/metrics.md, made of what a server shows: `npm run docs:metrics` writes it anew. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { exposition } from '../../src/http/prometheus.ts';
import { statusSamples } from '../../src/http/status-samples.ts';
import { HttpSubject } from '../http/http-subject.ts';
import { FULL_STATUS } from '../support/full-status.ts';

const INTRO = `# Metrics

<!-- Made of what /metrics shows by "npm run docs:metrics": change the declarations in src, not this page. -->

After this page you know what each metric means.

What \`/metrics\` shows, in the text format of Prometheus. [Monitoring](monitoring.md) says how to get it.
\`data_set\` is the prefix of a data set, and empty for one without. Counters begin again with the process, and
those without labels also when a client sends \`stats reset\`. What has not happened yet may be absent.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
`;

async function metricsText(): Promise<string> {
  const subject = await HttpSubject.start();
  const { text } = await subject.ask('/metrics');
  // What does not happen has no samples there.
  const { loopDelay } = FULL_STATUS.server.threads[0];
  return exposition(statusSamples(FULL_STATUS, loopDelay)) + text;
}

function rowsOf(text: string): readonly string[] {
  const family = /^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)\n\S+?(?:\{(.*)\})? /gm;
  const rows = [...text.matchAll(family)].map(([, name, help, type, labels = '']) => {
    const all = [...labels.matchAll(/([a-z_0-9]+)="/g)].map(([, label]) => label);
    const names = all.filter((label) => label !== 'le').map((label) => `\`${label}\``);
    return [name, `| \`${name}\` | ${type} | ${names.join(', ')} | ${help} |`] as const;
  });
  const names = rows.map(([name]) => name);
  return rows.filter(([name], i) => names.indexOf(name) === i).map(([, row]) => row);
}

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

test('docs/metrics.md lists what a server shows: else run "npm run docs:metrics"', async () => {
  const page = `${INTRO}${rowsOf(await metricsText()).join('\n')}\n`;
  await expect(page).toMatchFileSnapshot('../../docs/metrics.md');
});

test('the alert rules ask for metrics that there are', () => {
  const rules = read('deploy/prometheus/goromdb.rules.yml');
  const listed = read('docs/metrics.md');
  const asked = [...rules.matchAll(/\bgoromdb_\w+/g)].map(([name]) =>
    name.replace(/_(bucket|sum|count)$/, ''),
  );
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.filter((name) => !listed.includes(`| \`${name}\` |`))).toEqual([]);
});
