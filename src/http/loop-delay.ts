import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Sample } from './prometheus.ts';

/** Seconds of one window. */
const WINDOW_MS = 60_000;
const RESOLUTION_MS = 20;

/** How late the main thread is, in nanoseconds. */
interface Delay {
  readonly p99: number;
  readonly max: number;
}

/** Measures the event loop of this thread: figures of the last one to two minutes, whoever reads them. */
export class LoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  #last: Delay = { p99: 0, max: 0 };

  constructor() {
    this.#histogram.enable();
    this.#timer = setInterval(() => {
      this.#last = this.#now();
      this.#histogram.reset();
    }, WINDOW_MS);
    this.#timer.unref();
  }

  get samples(): readonly Sample[] {
    const now = this.#now();
    const p99 = Math.max(now.p99, this.#last.p99) / 1e9;
    const max = Math.max(now.max, this.#last.max) / 1e9;
    const of = (which: string) =>
      `${which} delay of the main thread's event loop, last 1 to 2 minutes.`;
    return [
      gauge('goromdb_event_loop_delay_p99_seconds', of('99th percentile of the'), p99),
      gauge('goromdb_event_loop_delay_max_seconds', of('Largest'), max),
    ];
  }

  close(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  /** The timer that measures is late by its own interval; an empty histogram has no figures. */
  #now(): Delay {
    const { count, max } = this.#histogram;
    if (count === 0) return { p99: 0, max: 0 };
    const late = (ns: number): number => Math.max(0, ns - RESOLUTION_MS * 1e6);
    return { p99: late(this.#histogram.percentile(99)), max: late(max) };
  }
}

function gauge(name: string, help: string, value: number): Sample {
  return { name, kind: 'gauge', help, labels: {}, value };
}
