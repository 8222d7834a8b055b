/** Metrics in the text format of Prometheus, version 0.0.4. */
import type { Histogram, Metric } from '../common/status.ts';

/** A metric by its name for Prometheus. */
export type Sample = Metric;

/** What a metric is called, where the rule does not give it. */
interface Naming {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly help?: string;
}

const CPU_HELP = 'CPU seconds of the process, by mode.';

const CUT_HELP = 'Connections that the server has closed, by reason.';

function cut(reason: string): Naming {
  return { name: 'connections_cut', labels: { reason }, help: CUT_HELP };
}

/**
 * Units are part of the names, in full, and what is one thing in several kinds is one metric with a label
 * (Prometheus, "Metric and label naming").
 */
const NAMES: Readonly<Record<string, Naming>> = {
  uptime: { name: 'uptime_seconds' },
  rusage_user: { name: 'cpu_seconds', labels: { mode: 'user' }, help: CPU_HELP },
  rusage_system: { name: 'cpu_seconds', labels: { mode: 'system' }, help: CPU_HELP },
  threads: { name: 'serving_threads' },
  max_connections: { name: 'connections_limit' },
  curr_connections: { name: 'connections' },
  total_connections: { name: 'connections_received' },
  idle_kicks: cut('idle'),
  stall_kicks: cut('stall'),
  buffer_kicks: cut('buffer'),
  stale_kicks: cut('stale'),
  fault_kicks: cut('fault'),
  bytes_read: { name: 'received_bytes' },
  bytes_written: { name: 'sent_bytes' },
  data_set_bytes: { name: 'data_set_table_bytes' },
  data_set_loaded_at: { name: 'data_set_loaded_timestamp_seconds' },
  data_set_installed_at: { name: 'data_set_installed_timestamp_seconds' },
  data_set_data_age: { name: 'data_set_data_age_seconds' },
  data_set_last_load_error_at: { name: 'data_set_last_load_error_timestamp_seconds' },
  data_set_drop_waiting_since: { name: 'data_set_drop_waiting_since_timestamp_seconds' },
};

/** What the status has by more labels than a counter. */
export function isShownByStatus({ name }: Metric): boolean {
  return /^(data_set_)?loads_|^refused_/.test(name);
}

/** The metric by its name for Prometheus: `goromdb_` in front and, for a counter, `_total` behind. */
export function sampleOf(metric: Metric): Sample {
  const { name, labels, help = metric.help } = NAMES[metric.name] ?? { name: metric.name };
  const end = metric.kind === 'counter' ? '_total' : '';
  return {
    ...metric,
    name: `goromdb_${name}${end}`,
    help,
    labels: { ...metric.labels, ...labels },
  };
}

/** The text of all samples, those of one name together. */
export function exposition(samples: readonly Sample[]): string {
  const byName = new Map<string, Sample[]>();
  for (const sample of samples) {
    const family = byName.get(sample.name);
    if (family === undefined) byName.set(sample.name, [sample]);
    else family.push(sample);
  }
  return [...byName.values()].map(familyText).join('');
}

function familyText(family: readonly Sample[]): string {
  const [{ name, kind, help }] = family;
  const lines = family.flatMap(({ labels, value, histogram }) =>
    histogram === undefined
      ? `${name}${labelText(labels)} ${value}\n`
      : histogramLines(name, labels, histogram),
  );
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${kind}\n${lines.join('')}`;
}

function histogramLines(
  name: string,
  labels: Sample['labels'],
  { buckets, count, sum }: Histogram,
): readonly string[] {
  const all = [...buckets, ['+Inf', count] as const];
  const of = labelText(labels);
  return [
    ...all.map(
      ([le, upTo]) => `${name}_bucket${labelText({ ...labels, le: String(le) })} ${upTo}\n`,
    ),
    `${name}_sum${of} ${sum}\n`,
    `${name}_count${of} ${count}\n`,
  ];
}

function labelText(labels: Sample['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    return `${name}="${escaped(value).replaceAll('"', '\\"')}"`;
  });
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
