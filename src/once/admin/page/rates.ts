/** Makes rates of what nodes have counted, and keeps them for some minutes. */
import { kept } from '../../../page/browser/span.ts';
import type { Figures } from '../../overview.ts';

/** What went on between two moments, a second; undefined: there was nothing to compare. */
export interface Rates {
  readonly atMs: number;
  readonly creates: number | undefined;
  readonly conflicts: number | undefined;
  readonly unknown: number | undefined;
  readonly gets: number | undefined;
  readonly hits: number | undefined;
  /** From 0 to 1; undefined: nothing was read. */
  readonly hitRate: number | undefined;
}

const NOTHING = {
  ...{ creates: undefined, conflicts: undefined, unknown: undefined },
  ...{ gets: undefined, hits: undefined, hitRate: undefined },
};

/** The rates of a node, as long as it is the same process. */
export class RateHistory {
  #last: { readonly atMs: number; readonly figures: Figures | undefined } | undefined;
  #points: readonly Rates[] = [];

  get points(): readonly Rates[] {
    return this.#points;
  }

  get last(): Rates | undefined {
    return this.#points.at(-1);
  }

  add(atMs: number, figures: Figures | undefined): void {
    const last = this.#last;
    if (last !== undefined && atMs <= last.atMs) return;
    this.#last = { atMs, figures };
    if (last === undefined) return;
    const rates =
      last.figures === undefined || figures === undefined
        ? { atMs, ...NOTHING }
        : ratesBetween(last.figures, figures, (atMs - last.atMs) / 1000, atMs);
    this.#points = kept([...this.#points, rates]);
  }
}

function ratesBetween(before: Figures, after: Figures, seconds: number, atMs: number): Rates {
  const rate = (name: keyof Figures): number => Math.max(0, after[name] - before[name]) / seconds;
  const [gets, hits] = [rate('gets'), rate('hits')];
  return {
    atMs,
    ...{ creates: rate('created'), conflicts: rate('conflicts'), unknown: rate('unknown') },
    ...{ gets, hits, hitRate: gets === 0 ? undefined : Math.min(1, hits / gets) },
  };
}

/** The rates of several nodes together, at the newest moment. */
export function sumOfRates(atMs: number, all: readonly (Rates | undefined)[]): Rates {
  const some = all.filter((rates) => rates?.atMs === atMs);
  const sum = (of: (rates: Rates) => number | undefined): number | undefined => {
    const values = some.flatMap((rates) => (rates && of(rates)) ?? []);
    return values.length === 0 ? undefined : values.reduce((total, one) => total + one, 0);
  };
  const [gets, hits] = [sum((one) => one.gets), sum((one) => one.hits)];
  return {
    atMs,
    ...{ creates: sum((one) => one.creates), conflicts: sum((one) => one.conflicts) },
    ...{ unknown: sum((one) => one.unknown), gets, hits },
    hitRate: gets && hits !== undefined ? Math.min(1, hits / gets) : undefined,
  };
}
