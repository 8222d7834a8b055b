/** Metrics in the text format of Prometheus, version 0.0.4. */
import type { DataSetStatus, Metric, Status } from '../common/status.ts';

/** A metric by its name for Prometheus. */
export type Sample = Metric;

/** What a metric is called, where the rule does not give it. */
interface Naming {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly help?: string;
}

const CPU_HELP = 'CPU seconds of the process, by mode.';

/**
 * Units stand in names, in full, and what is one thing in several kinds is one metric with a label
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
  bytes_read: { name: 'received_bytes' },
  bytes_written: { name: 'sent_bytes' },
  data_set_bytes: { name: 'data_set_table_bytes' },
  data_set_loaded_at: { name: 'data_set_loaded_timestamp_seconds' },
  data_set_installed_at: { name: 'data_set_installed_timestamp_seconds' },
  data_set_data_age: { name: 'data_set_data_age_seconds' },
  data_set_last_load_error_at: { name: 'data_set_last_load_error_timestamp_seconds' },
  data_set_drop_waiting_since: { name: 'data_set_drop_waiting_since_timestamp_seconds' },
};

/** What the counters of refused writes begin with; the command follows. */
const REFUSED = 'refused_';

/** The metric by its name for Prometheus: `goromdb_` in front and, for a counter, `_total` behind. */
export function sampleOf(metric: Metric): Sample {
  const { name, labels, help = metric.help } = namingOf(metric.name);
  const end = metric.kind === 'counter' ? '_total' : '';
  return {
    ...metric,
    name: `goromdb_${name}${end}`,
    help,
    labels: { ...metric.labels, ...labels },
  };
}

function namingOf(name: string): Naming {
  if (!name.startsWith(REFUSED)) return NAMES[name] ?? { name };
  const help = 'Refused writes, in all protocols, by command.';
  return { name: 'refused_writes', labels: { command: name.slice(REFUSED.length) }, help };
}

/** What is a word, not a number: the labels have it. */
export function wordSamples({ server, dataSets }: Status): readonly Sample[] {
  const gauge = { kind: 'gauge', value: 1 } as const;
  const build = { version: server.version, node: server.node };
  return [
    { ...gauge, name: 'goromdb_build_info', help: 'Always 1; versions in labels.', labels: build },
    ...dataSets.map((set) => ({
      ...gauge,
      name: 'goromdb_data_set_info',
      help: 'Always 1; MD5 and format of what serves in labels.',
      labels: { data_set: set.prefix, ...wordsOf(set) },
    })),
    ...dataSets.map(({ prefix, serving }) => ({
      ...gauge,
      name: 'goromdb_data_set_file_damaged',
      help: '1: a scrub has found the dropped file of the live generation damaged.',
      labels: { data_set: prefix },
      value: serving?.fileFault === undefined ? 0 : 1,
    })),
  ];
}

function wordsOf({ serving }: DataSetStatus): Readonly<Record<string, string>> {
  return { md5: serving?.md5 ?? '', format: serving?.format ?? '' };
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
  const lines = family.map(({ labels, value }) => `${name}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${kind}\n${lines.join('')}`;
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
