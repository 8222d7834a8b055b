/** Metrics that the status has, and no counter of `stats`. */
import type { DataSetStatus, ServerStatus, Status, ThreadStatus } from '../common/status.ts';
import type { Sample } from './prometheus.ts';

type Labels = Sample['labels'];
type Value = Pick<Sample, 'labels' | 'value' | 'histogram'>;
type Thread = Pick<ThreadStatus, 'loopDelay'> & Partial<ThreadStatus>;

function family(
  kind: Sample['kind'],
  name: string,
  help: string,
  values: readonly Value[],
): readonly Sample[] {
  return values.map((value) => ({ kind, name: `goromdb_${name}`, help, ...value }));
}

/** @param main Of the main thread, which serves nobody. */
export function statusSamples(
  { server, dataSets }: Status,
  main: ThreadStatus['loopDelay'],
): readonly Sample[] {
  return [
    ...serverSamples(server),
    ...threadSamples([['main', { loopDelay: main }], ...server.threads.entries()]),
    ...dataSetSamples(dataSets),
  ];
}

function serverSamples(server: ServerStatus): readonly Sample[] {
  const { version, node, requests, refusedWrites, certificateExpiresAt } = server;
  const one = (labels: Labels, value: number): Value => ({ labels, value });
  return [
    ...family('gauge', 'build_info', 'Always 1; versions in labels.', [one({ version, node }, 1)]),
    ...family(
      'gauge',
      'certificate_expiry_timestamp_seconds',
      'Unix time when the first TLS certificate expires; only with TLS.',
      certificateExpiresAt === undefined ? [] : [one({}, Date.parse(certificateExpiresAt) / 1000)],
    ),
    ...family(
      'histogram',
      'request_duration_seconds',
      'Seconds from a read of requests until all replies to them are given to the system, by protocol; sampled.',
      requests.map(({ protocol, duration }) => {
        return { labels: { protocol }, value: duration.count, histogram: duration };
      }),
    ),
    ...family(
      'histogram',
      'request_size_bytes',
      'Bytes of a read of requests, by protocol; sampled.',
      requests.map(({ protocol, size }) => {
        return { labels: { protocol }, value: size.count, histogram: size };
      }),
    ),
    ...family(
      'counter',
      'refused_writes_total',
      'Refused writes, by protocol and command.',
      refusedWrites.map(({ protocol, command, count }) => one({ protocol, command }, count)),
    ),
  ];
}

function threadSamples(
  threads: readonly (readonly [thread: string | number, Thread])[],
): readonly Sample[] {
  const values = (of: (thread: Thread) => number | undefined): readonly Value[] =>
    threads.flatMap(([name, thread]) => {
      const value = of(thread);
      return value === undefined ? [] : [{ labels: { thread: String(name) }, value }];
    });
  const of = (which: string): string =>
    `${which} delay of a thread's event loop, last 1 to 2 minutes.`;
  return [
    ...family(
      'gauge',
      'event_loop_delay_p99_seconds',
      of('99th percentile of the'),
      values(({ loopDelay }) => loopDelay.p99Seconds),
    ),
    ...family(
      'gauge',
      'event_loop_delay_max_seconds',
      of('Largest'),
      values(({ loopDelay }) => loopDelay.maxSeconds),
    ),
    ...family(
      'gauge',
      'thread_connections',
      'Open connections of a serving thread.',
      values(({ connections }) => connections),
    ),
  ];
}

function dataSetSamples(sets: readonly DataSetStatus[]): readonly Sample[] {
  const values = (
    of: (set: DataSetStatus) => readonly (readonly [Labels, number])[],
  ): readonly Value[] =>
    sets.flatMap((set) =>
      of(set).map(([labels, value]) => ({ labels: { data_set: set.prefix, ...labels }, value })),
    );
  return [
    ...family(
      'gauge',
      'data_set_info',
      'Always 1; MD5 and format of the serving generation in labels.',
      values(({ serving }) => [[{ md5: serving?.md5 ?? '', format: serving?.format ?? '' }, 1]]),
    ),
    ...family(
      'gauge',
      'data_set_file_damaged',
      '1: a scrub has found the dropped file of the live generation damaged.',
      values(({ serving }) => [[{}, serving?.fileFault === undefined ? 0 : 1]]),
    ),
    ...family(
      'counter',
      'data_set_lookups_total',
      'Keys that were looked up, by protocol and result.',
      values(({ lookups }) =>
        lookups.flatMap(({ protocol, hits, misses }) => [
          [{ protocol, result: 'hit' }, hits] as const,
          [{ protocol, result: 'miss' }, misses] as const,
        ]),
      ),
    ),
    ...sets.flatMap(({ prefix, duration }) =>
      duration === undefined
        ? []
        : family(
            'histogram',
            'data_set_request_duration_seconds',
            'Seconds from a read of requests for its keys until all replies are given to the system; sampled.',
            [{ labels: { data_set: prefix }, value: duration.count, histogram: duration }],
          ),
    ),
    ...family(
      'counter',
      'data_set_loads_total',
      'Drops by outcome (taken, rejected, failed) and reason, an error code.',
      values(({ loads }) =>
        loads.map(({ outcome, reason, count }) => [{ outcome, reason }, count] as const),
      ),
    ),
    ...family(
      'gauge',
      'data_set_loading',
      '1 for the stage of the load under way; none when nothing is loaded.',
      values(({ loading }) => (loading === undefined ? [] : [[{ stage: loading.stage }, 1]])),
    ),
    ...family(
      'gauge',
      'data_set_loading_seconds',
      'Seconds since the load under way began; 0: there is none.',
      values(({ loading }) => [[{}, loading ? (Date.now() - loading.sinceMs) / 1000 : 0]]),
    ),
    ...family(
      'gauge',
      'data_set_load_seconds',
      'Seconds that the load of the live generation took, by stage.',
      values(({ serving }) =>
        Object.entries(serving?.loadSeconds ?? {}).map(([stage, took]) => [{ stage }, took]),
      ),
    ),
    ...family(
      'gauge',
      'data_set_drop_waiting',
      '1 for the reason why a drop waits; none when no drop waits.',
      values(({ waiting }) => (waiting === undefined ? [] : [[{ reason: waiting.code }, 1]])),
    ),
  ];
}
