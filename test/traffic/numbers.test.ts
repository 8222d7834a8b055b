import { describe, expect, it } from 'vitest';
import { seededRandom, uniformChoice, zipfChoice } from '../../src/traffic/choose-key.ts';
import { bucketOf, HISTOGRAM_BUCKETS, percentile } from '../../src/traffic/histogram.ts';
import { buildRequests, type RequestShape } from '../../src/traffic/requests.ts';

describe('the histogram', () => {
  it('tells percentiles within 2 %, from microseconds to minutes', () => {
    for (const scale of [0.01, 1, 1_000]) {
      const counts = new Float64Array(HISTOGRAM_BUCKETS);
      for (let i = 1; i <= 1_000; i++) counts[bucketOf((i / 100) * scale)]++;
      for (const share of [0.5, 0.99, 0.999]) {
        const exact = share * 10 * scale;
        expect(Math.abs(percentile(counts, share) - exact) / exact).toBeLessThan(0.02);
      }
    }
  });

  it('has a place for every latency', () => {
    for (const ms of [-1, 0, 1e-9, 1e9, Number.POSITIVE_INFINITY]) {
      expect(bucketOf(ms)).toBeGreaterThanOrEqual(0);
      expect(bucketOf(ms)).toBeLessThan(HISTOGRAM_BUCKETS);
    }
  });

  it('knows nothing of no latencies', () => {
    expect(percentile(new Float64Array(HISTOGRAM_BUCKETS), 0.5)).toBeNaN();
  });
});

describe('the choice of keys', () => {
  it.each([
    ['uniform', uniformChoice],
    ['zipf', zipfChoice],
  ])('%s: stays within the keys, for one key too', (_, choice) => {
    for (const count of [1, 2, 10, 1_000]) {
      const choose = choice(count, seededRandom(1));
      for (let i = 0; i < 1_000; i++) {
        const id = choose();
        expect(Number.isInteger(id) && id >= 0 && id < count).toBe(true);
      }
    }
  });

  it('zipf: the most popular of 1,000 keys is chosen as often as the law says', () => {
    const choose = zipfChoice(1_000, seededRandom(7));
    const counts = new Map<number, number>();
    const draws = 100_000;
    for (let i = 0; i < draws; i++) {
      const id = choose();
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    const weights = Array.from({ length: 1_000 }, (_, i) => (i + 1) ** -0.99);
    const sum = weights.reduce((a, b) => a + b);
    const found = [...counts.values()].toSorted((a, b) => b - a);
    expect(found[0] / draws).toBeCloseTo(weights[0] / sum, 2);
    expect(found[9] / draws).toBeCloseTo(weights[9] / sum, 2);
  });
});

describe('the requests', () => {
  const shape = {
    command: 'get',
    keysPerRequest: 2,
    pipeline: 2,
    choice: 'uniform',
    missShare: 0,
  } as const;

  it('come in batches of the shape that was asked for', () => {
    const requests = buildRequests(shape, { kind: 'list', keys: ['k'] }, 1);
    expect(requests.next().toString()).toBe('get k k\r\nget k k\r\n');
  });

  it('end a quiet pipeline with mn', () => {
    const requests = buildRequests({ ...shape, command: 'meta' }, { kind: 'list', keys: ['k'] }, 1);
    expect(requests.next().toString()).toBe('mg k v k q\r\nmg k v k q\r\nmn\r\n'.repeat(2));
  });

  it('ask Redis for one key by GET, for several by MGET', () => {
    const source = { kind: 'list', keys: ['k1'] } as const;
    const batch = (more: Partial<RequestShape>): string =>
      buildRequests({ ...shape, command: 'redis', ...more }, source, 1)
        .next()
        .toString();
    expect(batch({ keysPerRequest: 1, pipeline: 1 })).toBe('*2\r\n$3\r\nGET\r\n$2\r\nk1\r\n');
    const several = '*3\r\n$4\r\nMGET\r\n$2\r\nk1\r\n$2\r\nk1\r\n';
    expect(batch({})).toBe(several.repeat(2));
  });

  it('name keys that are not there by the share of misses', () => {
    const all = { ...shape, missShare: 1 };
    const requests = buildRequests(all, { kind: 'generated', keys: 10 }, 1);
    expect(requests.next().toString()).toMatch(/^(?:get nil:\d{8} nil:\d{8}\r\n){2}$/);
  });
});
