/** What clients have asked a server that is made up. */
import type { Histogram, Metric, Status } from '../../src/common/status.ts';

/** Shares of requests that take no longer than these seconds; slower ones take more of the rest. */
const LATENCY: readonly (readonly [upTo: number, share: number])[] = [
  [0.00002, 0.05],
  [0.00005, 0.42],
  [0.0001, 0.83],
  [0.0005, 0.985],
  [0.001, 0.996],
  [0.005, 1],
];

export class Traffic {
  #gets = 0;
  #hits = 0;
  #buckets: readonly (readonly [number, number])[] = LATENCY.map(([upTo]) => [upTo, 0]);

  /** @param slow From 0 to 1. */
  pass(lookups: number, hitRate: number, slow: number): void {
    this.#gets += lookups;
    this.#hits += lookups * hitRate;
    this.#buckets = this.#buckets.map(([upTo, count], i) => {
      const [, share] = LATENCY[i];
      return [upTo, count + lookups * share * (1 - (0.01 * slow) / (i + 1))];
    });
  }

  get counters(): readonly Metric[] {
    return [
      counter('cmd_get', this.#gets),
      counter('get_hits', this.#hits),
      counter('bytes_written', this.#gets * 132),
    ];
  }

  /** A status with all that was asked: of each data set a part. */
  in({ server, dataSets }: Status): Status {
    const duration: Histogram = { count: this.#gets, sum: 0, buckets: this.#buckets };
    return {
      server: {
        ...server,
        cpuSeconds: { user: this.#gets / 29_000, system: 0 },
        requests: [{ protocol: 'text', duration, size: { count: 0, sum: 0, buckets: [] } }],
      },
      dataSets: dataSets.map((set, i) => {
        const share = 1 / (i + 1);
        const [hits, misses] = [this.#hits * share, (this.#gets - this.#hits) * share];
        return { ...set, duration, lookups: [{ protocol: 'text', hits, misses }] };
      }),
    };
  }
}

function counter(name: string, value: number): Metric {
  return { name, kind: 'counter', help: name, labels: {}, value };
}
