import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Rule {
  readonly alert: string;
  readonly annotations: Readonly<Record<string, string>>;
}

const { groups } = parse(
  readFileSync(join(ROOT, 'deploy/prometheus/goromdb.rules.yml'), 'utf8'),
) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
const RULES = groups.flatMap(({ rules }) => rules);

/** The sections of the runbook, by heading. */
const SECTIONS = new Map(
  readFileSync(join(ROOT, 'docs/runbook.md'), 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.split('\n', 1)[0], section]),
);

it('each alert leads to its section of the runbook, and no section is of an alert that is gone', () => {
  expect(RULES.length).toBeGreaterThan(5);
  for (const { alert, annotations } of RULES) {
    expect(annotations.runbook_url).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
  }
  const alerts = [...SECTIONS.keys()].filter((heading) => heading.startsWith('Goromdb'));
  expect(alerts.toSorted()).toEqual(RULES.map(({ alert }) => alert).toSorted());
});

it.each(RULES.map(({ alert }) => alert))(
  '%s says what it means, where to look, what to do',
  (alert) => {
    const text = SECTIONS.get(alert) ?? '';
    const places = ['**Means.**', '**Look.**', '**Do.**'].map((part) => text.indexOf(part));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  },
);
