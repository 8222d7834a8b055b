import { expect, it } from 'vitest';
import { History, serverCounts, setCounts } from '../../../src/http/page/history.ts';
import { pooled, quantileOf } from '../../../src/http/page/quantile.ts';
import { samplesOf } from '../../../src/http/page/samples.ts';
import { statusOf, wellSet } from '../../browser/made-up.ts';

it('reads names, labels with escapes, and values', () => {
  const text =
    '# HELP a b\n# TYPE a gauge\na 1\na{x="q\\"\\\\\\n}, y",y=""} 2.5e3\nb{le="+Inf"} +Inf\n';
  expect(samplesOf(text)).toEqual([
    { name: 'a', labels: {}, value: 1 },
    { name: 'a', labels: { x: 'q"\\\n}, y', y: '' }, value: 2500 },
    { name: 'b', labels: { le: '+Inf' }, value: Number.POSITIVE_INFINITY },
  ]);
});

function counts(atMs: number, gets: number, hits: number) {
  const text = `goromdb_cmd_get_total ${gets}\ngoromdb_get_hits_total ${hits}\n`;
  return serverCounts(statusOf([]).server, samplesOf(text), atMs);
}

it('makes rates of what was counted between two polls', () => {
  const history = new History();
  history.add(counts(1_000, 500, 400));
  history.add(counts(3_000, 700, 590));
  expect(history.points).toMatchObject([{ atMs: 3_000, gets: 100, hitRate: 0.95 }]);
});

it('shows no rate over a restart of the server, nor a hit rate of nothing', () => {
  const history = new History();
  for (const [at, gets] of [
    [1_000, 500],
    [3_000, 10],
    [5_000, 10],
  ])
    history.add(counts(at, gets, gets));
  expect(history.points).toMatchObject([{ gets: undefined }, { gets: 0, hitRate: undefined }]);
});

it('keeps five minutes', () => {
  const history = new History();
  for (let at = 0; at <= 600_000; at += 2_000) history.add(counts(at, at, at));
  expect(history.points).toHaveLength(151);
});

it('makes rates of the lookups of a data set, in all protocols', () => {
  const history = new History();
  const lookups = (hits: number) => [
    { protocol: 'text', hits, misses: 10 },
    { protocol: 'redis', hits: hits * 2, misses: 0 },
  ];
  history.add(setCounts(wellSet('', { lookups: lookups(100) }), 1_000));
  history.add(setCounts(wellSet('', { lookups: lookups(200) }), 2_000));
  expect(history.points).toMatchObject([{ gets: 300, hitRate: 1 }]);
});

it('finds quantiles of several histograms as Prometheus does', () => {
  const half = {
    count: 50,
    sum: 1,
    buckets: [
      [0.1, 25],
      [0.2, 45],
    ],
  } as const;
  const buckets = pooled([half, half]);
  expect([0.25, 0.7, 0.99].map((share) => quantileOf(buckets, share))).toEqual([
    expect.closeTo(0.05),
    expect.closeTo(0.15),
    0.2,
  ]);
  expect(quantileOf(pooled([]), 0.5)).toBeUndefined();
});
