import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Milliseconds of one window. */
const WINDOW_MS = 60_000;
const RESOLUTION_MS = 20;

/** How late the event loop of a thread is. */
export interface Delay {
  readonly p99Seconds: number;
  readonly maxSeconds: number;
}

/** Measures the event loop of this thread: figures of the last one to two minutes, whoever reads them. */
export class LoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  #last: Delay = { p99Seconds: 0, maxSeconds: 0 };

  constructor() {
    this.#histogram.enable();
    this.#timer = setInterval(() => {
      this.#last = this.#now();
      this.#histogram.reset();
    }, WINDOW_MS);
    this.#timer.unref();
  }

  get delay(): Delay {
    const now = this.#now();
    return {
      p99Seconds: Math.max(now.p99Seconds, this.#last.p99Seconds),
      maxSeconds: Math.max(now.maxSeconds, this.#last.maxSeconds),
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  /** The timer that measures is late by its own interval; an empty histogram has no figures. */
  #now(): Delay {
    const { count, max } = this.#histogram;
    if (count === 0) return { p99Seconds: 0, maxSeconds: 0 };
    const late = (ns: number): number => Math.max(0, ns / 1e9 - RESOLUTION_MS / 1000);
    return { p99Seconds: late(this.#histogram.percentile(99)), maxSeconds: late(max) };
  }
}
