import { describe, expect, it } from 'vitest';
import { exposition, sampleOf } from '../../src/http/prometheus.ts';

describe('the text of metrics', () => {
  it('has the samples of one name together, under one help and one type', () => {
    const gauge = { kind: 'gauge', help: 'Keys.' } as const;
    const text = exposition([
      { ...gauge, name: 'keys', labels: { data_set: 'a' }, value: 1 },
      { ...gauge, name: 'age_seconds', labels: {}, value: 1.5 },
      { ...gauge, name: 'keys', labels: { data_set: 'b' }, value: 2e21 },
    ]);
    expect(text).toBe(
      '# HELP keys Keys.\n# TYPE keys gauge\nkeys{data_set="a"} 1\nkeys{data_set="b"} 2e+21\n' +
        '# HELP age_seconds Keys.\n# TYPE age_seconds gauge\nage_seconds 1.5\n',
    );
  });

  it('escapes labels and help, so that no name of a data set forges a line', () => {
    const labels = { data_set: 'a"} 1\n\\b' };
    const text = exposition([{ name: 'x', kind: 'gauge', help: 'a\n\\', labels, value: 0 }]);
    expect(text).toBe('# HELP x a\\n\\\\\n# TYPE x gauge\nx{data_set="a\\"} 1\\n\\\\b"} 0\n');
  });
});

describe('the name of a metric', () => {
  it.each([
    ['get_hits', 'counter', 'goromdb_get_hits_total', {}],
    ['uptime', 'gauge', 'goromdb_uptime_seconds', {}],
    ['rusage_user', 'counter', 'goromdb_cpu_seconds_total', { mode: 'user' }],
    ['idle_kicks', 'counter', 'goromdb_connections_cut_total', { reason: 'idle' }],
    ['data_set_bytes', 'gauge', 'goromdb_data_set_table_bytes', {}],
  ] as const)('of %s follows the conventions', (name, kind, expected, own) => {
    const labels = { data_set: 'geo' };
    const sample = sampleOf({ name, kind, help: 'H.', labels, value: 1 });
    expect(sample).toMatchObject({ name: expected, kind, labels: { ...labels, ...own }, value: 1 });
  });
});
