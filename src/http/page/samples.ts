/** Reads what `/metrics` shows. */

/** One line of `/metrics`. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Upper bounds of a histogram's buckets, each with how much lies at or below it. */
export type Buckets = ReadonlyMap<number, number>;

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/gm;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** All samples of a text in Prometheus' format. */
export function samplesOf(text: string): readonly Sample[] {
  return Array.from(text.matchAll(LINE), ([, name, labels = '', value]) => ({
    name,
    labels: Object.fromEntries(
      Array.from(labels.matchAll(LABEL), ([, key, raw]) => [key, plain(raw)]),
    ),
    value: Number(value.replace('+Inf', 'Infinity')),
  }));
}

/** The samples of one name, and of one data set where its prefix is given. */
export function named(
  samples: readonly Sample[],
  name: string,
  dataSet?: string,
): readonly Sample[] {
  return samples.filter(
    (one) => one.name === name && (dataSet === undefined || one.labels.data_set === dataSet),
  );
}

/** Their sum; undefined: there are none. */
export function sumOf(samples: readonly Sample[]): number | undefined {
  if (samples.length === 0) return undefined;
  return samples.reduce((sum, { value }) => sum + value, 0);
}

/** The buckets of `<name>_bucket`, with those of several series added up. */
export function bucketsOf(samples: readonly Sample[]): Buckets {
  const buckets = new Map<number, number>();
  for (const { labels, value } of samples) {
    const bound = Number((labels.le ?? '').replace('+Inf', 'Infinity'));
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  return new Map([...buckets].sort(([a], [b]) => a - b));
}

/**
 * Below what value a share of a histogram lies, as Prometheus' `histogram_quantile` has it.
 *
 * @param share From 0 to 1.
 * @returns Undefined when the histogram is empty.
 */
export function quantileOf(buckets: Buckets, share: number): number | undefined {
  const all = [...buckets];
  const total = all.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  const wanted = share * total;
  let [lower, below] = [0, 0];
  for (const [bound, count] of all) {
    if (count >= wanted) {
      // Above the last bound nothing is known.
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return lower + (bound - lower) * ((wanted - below) / Math.max(count - below, Number.EPSILON));
    }
    [lower, below] = [bound, count];
  }
  return lower;
}

/** Undoes the escapes of a label's value. */
function plain(raw: string): string {
  return raw.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
}
