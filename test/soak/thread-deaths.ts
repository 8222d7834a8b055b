import type { Connection } from './load.ts';

/** Serving threads that may die within a minute: the eleventh ends the process, as it should. */
const DEATHS_MAX = 7;
const WINDOW_MS = 60_000;

/** Serving threads that were made to die, and the connections that went with them. */
export class ThreadDeaths {
  /** When each began, of those of late, and when it was mended. */
  readonly #spans: { readonly fromMs: number; toMs: number }[] = [];
  /** When a connection went with its thread, by the client's port. */
  readonly #lostAtMs = new Map<number, number>();
  #wake: () => void = () => {};

  /** Whether one more may die. */
  get isAllowed(): boolean {
    const startMs = performance.now() - WINDOW_MS;
    return this.#spans.filter(({ fromMs }) => fromMs > startMs).length < DEATHS_MAX;
  }

  /** Whether a thread that is to die is not replaced yet. */
  get isUnderWay(): boolean {
    return this.#spans.at(-1)?.toMs === Number.POSITIVE_INFINITY;
  }

  begin(): void {
    this.#spans.push({ fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY });
  }

  /** Reads a line of the log. @returns Whether a death of ours has caused it. */
  hear(line: string): boolean {
    const ports = /^thread \d+ dies by \w+ with ([\d,]*);$/.exec(line)?.[1];
    if (ports !== undefined) {
      for (const port of ports.split(',')) this.#lostAtMs.set(Number(port), performance.now());
    }
    if (/ info serving thread \d+ serves again$/.test(line)) this.end();
    return this.isUnderWay && / serving thread \d+ has died: /.test(line);
  }

  /** It is replaced, or the process is gone with all of its threads. */
  end(): void {
    if (this.isUnderWay) this.#spans.at(-1)!.toMs = performance.now();
    this.#wake();
  }

  async isOver(patienceMs: number): Promise<void> {
    if (!this.isUnderWay) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error('a thread that died was not replaced'));
      }, patienceMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** See `LoadShare`. A connection without an answer may have been in any thread. */
  isLost({ sinceMs, port }: Connection): boolean {
    if (port !== undefined) return (this.#lostAtMs.get(port) ?? 0) > sinceMs;
    return this.#spans.some(({ toMs }) => toMs > sinceMs);
  }
}
