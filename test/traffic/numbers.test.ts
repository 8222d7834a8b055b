import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { seededRandom, uniformChoice, zipfChoice } from '../../src/traffic/choose-key.ts';
import { createLatencies, percentileMs, recordLatency } from '../../src/traffic/latencies.ts';
import { buildRequests, type RequestShape } from '../../src/traffic/requests.ts';

describe('the latencies', () => {
  it('report percentiles within 1 % over all threads, from microseconds to minutes', () => {
    for (const scale of [0.01, 1, 1_000]) {
      const threads = [createLatencies(), createLatencies()];
      for (let i = 1; i <= 1_000; i++) recordLatency(threads[i % 2], (i / 100) * scale);
      const measured = threads.map((one) => one.measured);
      for (const share of [0.5, 0.99, 0.999, 1]) {
        const exact = share * 10 * scale;
        expect(Math.abs(percentileMs(measured, share) - exact) / exact).toBeLessThan(0.01);
      }
    }
  });

  it('count one below the resolution, and one of days', () => {
    const latencies = createLatencies();
    for (const ms of [-1, 0, 1e-9, 1e9]) recordLatency(latencies, ms);
    expect(latencies.measured.count).toBe(4);
    expect(percentileMs([latencies.measured], 0.5)).toBe(1e-6);
  });

  it('are seen by the thread that made them while another one records them', async () => {
    const latencies = createLatencies();
    const record = `
      const { workerData: { measured }, parentPort } = require('node:worker_threads');
      measured.record(5);
      parentPort.once('message', () => measured.record(6));
      parentPort.postMessage('recorded');`;
    const worker = new Worker(record, { eval: true, workerData: latencies });
    await once(worker, 'message');
    expect(latencies.measured.max).toBe(5);
    latencies.measured.reset();
    worker.postMessage('again');
    await once(worker, 'exit');
    expect(latencies.measured.count).toBe(1);
    expect(latencies.measured.max).toBe(6);
  });

  it('know nothing of no latencies', () => {
    expect(percentileMs([createLatencies().measured], 0.5)).toBeNaN();
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
