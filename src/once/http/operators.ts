/** What those who run nodes ask for: status, metrics, the admin page. */
import type { Metric } from '../../common/status.ts';
import { exposition } from '../../http/prometheus.ts';
import type { Admin } from '../admin/admin.ts';
import type { CachedStore } from '../once.ts';
import type { Figures } from '../overview.ts';
import { type Answer, jsonAnswer, NO_SNIFFING } from './answers.ts';

/** The text format of Prometheus. */
const METRICS = 'text/plain; version=0.0.4; charset=utf-8';

export interface Operated {
  readonly store: CachedStore;
  /** Default: there is no admin page. */
  readonly admin?: Admin | undefined;
}

/** What a path answers; undefined: it is none of these. */
export function operatorsRoute(
  path: string,
  { store, admin }: Operated,
): (() => Answer | Promise<Answer>) | undefined {
  if (path === '/healthz') return () => jsonAnswer(200, { ok: true });
  if (path === '/status') {
    return () => jsonAnswer(200, { ...store.figures, node: admin?.facts() });
  }
  if (path === '/metrics') return () => textAnswer(exposition(metricsOf(store.figures)), METRICS);
  if (admin === undefined) return undefined;
  if (path === '/admin') {
    const { body, type, headers } = admin.page;
    return () => textAnswer(body, type, headers);
  }
  if (path !== '/api/overview') return undefined;
  return async () => jsonAnswer(200, await admin.overview());
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
