/** What those who run nodes ask for: status, metrics, the admin page. */
import type { Metric } from '../../common/status.ts';
import { exposition } from '../../http/prometheus.ts';
import type { Admin } from '../admin/admin.ts';
import type { CachedStore } from '../once.ts';
import type { Figures } from '../overview.ts';
import { type Answer, jsonAnswer, NO_SNIFFING } from './answers.ts';

/** The text format of Prometheus. */
const METRICS = 'text/plain; version=0.0.4; charset=utf-8';

export function health(): Answer {
  return jsonAnswer(200, { ok: true });
}

export function status({ figures }: CachedStore, admin: Admin | undefined): Answer {
  return jsonAnswer(200, { ...figures, node: admin?.facts() });
}

export function metrics({ figures }: CachedStore): Answer {
  return textAnswer(exposition(metricsOf(figures)), METRICS);
}

export function adminPage({ page: { body, type, headers } }: Admin): Answer {
  return textAnswer(body, type, headers);
}

export async function overview(admin: Admin): Promise<Answer> {
  return jsonAnswer(200, await admin.overview());
}

function textAnswer(body: string, type: string, more: Answer['headers'] = {}): Answer {
  const headers = {
    ...{ 'content-type': type, 'content-length': Buffer.byteLength(body) },
    ...{ 'cache-control': 'no-store', ...NO_SNIFFING, ...more },
  };
  return { status: 200, headers, body };
}

function metricsOf(figures: Figures): readonly Metric[] {
  const reads = {
    hit: figures.hits,
    absent: figures.misses,
    unavailable: figures.readsUnavailable,
  };
  const found = figures.gets - figures.hits - figures.misses - figures.readsUnavailable;
  const { created, same, conflicts: conflict, unknown, refused } = figures;
  const counter = (
    name: string,
    help: string,
    values: Readonly<Record<string, number>>,
  ): Metric[] =>
    Object.entries(values).map(([result, value]) => {
      const labels = { result };
      return { kind: 'counter', name: `goromdb_once_${name}_total`, help, labels, value };
    });
  const gauge = (name: string, help: string, value: number): Metric => {
    return { kind: 'gauge', name: `goromdb_once_${name}`, help, labels: {}, value };
  };
  return [
    ...counter('gets', 'Keys that were read, by result; hit: the cache had it.', {
      ...reads,
      found,
    }),
    ...counter('creates', 'Keys that were to be created, by what came of it.', {
      ...{ created, same, conflict, unknown, refused },
    }),
    {
      ...{ kind: 'counter', name: 'goromdb_once_warmed_total', labels: {} },
      ...{ help: 'Values that the cache was given by -warm.', value: figures.warmed },
    },
    gauge('cached_items', 'Values in the cache.', figures.cachedItems),
    gauge('cached_bytes', 'Bytes that the cache takes.', figures.cachedBytes),
  ];
}
