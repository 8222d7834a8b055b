/** Reads what `/metrics` shows. */

/** One line of `/metrics`. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

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

/** The samples of one name. */
export function named(samples: readonly Sample[], name: string): readonly Sample[] {
  return samples.filter((one) => one.name === name);
}

/** Their sum; undefined: there are none. */
export function sumOf(samples: readonly Sample[]): number | undefined {
  if (samples.length === 0) return undefined;
  return samples.reduce((sum, { value }) => sum + value, 0);
}

/** Undoes the escapes of a label's value. */
function plain(raw: string): string {
  return raw.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
}
