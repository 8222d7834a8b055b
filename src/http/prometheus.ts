/** Metrics in the text format of Prometheus, version 0.0.4. */
import type { DataSetStatus, Metric, Status } from '../common/status.ts';

/** A metric by its name for Prometheus. */
export type Sample = Metric;

/**
 * Names that the rule does not give: units stand in names, in full, and what is one thing with several
 * kinds is one metric with a label.
 */
const NAMES: Readonly<Record<string, readonly [name: string, label?: string, value?: string]>> = {
  uptime: ['uptime_seconds'],
  rusage_user: ['cpu_seconds', 'mode', 'user'],
  rusage_system: ['cpu_seconds', 'mode', 'system'],
  threads: ['serving_threads'],
  max_connections: ['connections_limit'],
  curr_connections: ['connections'],
  total_connections: ['connections_received'],
  bytes_read: ['received_bytes'],
  bytes_written: ['sent_bytes'],
  data_set_bytes: ['data_set_table_bytes'],
  data_set_loaded_at: ['data_set_loaded_timestamp_seconds'],
  data_set_installed_at: ['data_set_installed_timestamp_seconds'],
  data_set_data_age: ['data_set_data_age_seconds'],
  data_set_last_load_error_at: ['data_set_last_load_error_timestamp_seconds'],
  data_set_drop_waiting_since: ['data_set_drop_waiting_since_timestamp_seconds'],
};

/** Metrics that come one by one, and are one with a label. */
const PREFIXED: readonly (readonly [prefix: string, name: string, label: string, help: string])[] =
  [['refused_', 'refused_writes', 'command', 'Refused writes, in all protocols, by command.']];

/** The name, with `goromdb_` in front and, for a counter, `_total` behind. */
export function sampleOf({ name, kind, help, labels, value }: Metric): Sample {
  const end = kind === 'counter' ? '_total' : '';
  const family = PREFIXED.find(([prefix]) => name.startsWith(prefix));
  if (family !== undefined) {
    const [prefix, newName, label, text] = family;
    const own = { [label]: name.slice(prefix.length) };
    return {
      name: `goromdb_${newName}${end}`,
      kind,
      help: text,
      labels: { ...labels, ...own },
      value,
    };
  }
  const [newName, label, labelValue] = NAMES[name] ?? [name];
  const own = label === undefined || labelValue === undefined ? {} : { [label]: labelValue };
  const text = label === undefined ? help : `CPU seconds of the process, by ${label}.`;
  return {
    name: `goromdb_${newName}${end}`,
    kind,
    help: text,
    labels: { ...labels, ...own },
    value,
  };
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
