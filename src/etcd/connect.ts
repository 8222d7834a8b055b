import { GoromdbError } from '../common/errors.ts';
import type { Endpoint } from './endpoint.ts';
import type { Etcd, Outcome } from './etcd.ts';
import { type EtcdOptions, Gateway } from './gateway.ts';
import { READ_ATTEMPT_MS_MAX } from './limits.ts';
import { followRange, watchPrefix } from './watch.ts';
import {
  base64,
  countOf,
  foundOf,
  leaseOf,
  membersOf,
  putJson,
  rangeJson,
  renewedOf,
  resultOf,
  revisionOf,
  statusOf,
  transactionJson,
} from './wire.ts';

/**
 * A client of a cluster. It connects when it is first asked.
 *
 * @throws GoromdbError OPTION_INVALID.
 */
export function connectEtcd(options: EtcdOptions): Etcd {
  const gateway = new Gateway(options);
  const endpointOf = (url: string): Endpoint => {
    const endpoint = gateway.endpoints.find((one) => one.url === url);
    if (endpoint !== undefined) return endpoint;
    const known = gateway.endpoints.map((one) => one.url).join(', ');
    throw new GoromdbError(
      'OPTION_INVALID',
      `expected one of the endpoints ${known}, found ${url}`,
    );
  };
  return {
    range: (range) => gateway.post('/v3/kv/range', rangeJson(range), 'read', foundOf),
    count: (key, end) => {
      const range = { key: base64(key), range_end: base64(end), count_only: true };
      // A member that lags behind counts as well.
      return gateway.post('/v3/kv/range', { ...range, serializable: true }, 'read', countOf);
    },
    put: (key, value, lease) =>
      gateway.post('/v3/kv/put', putJson(key, value, lease), 'write', (answer) => {
        return { revision: revisionOf(answer) };
      }),
    transact: (transaction) =>
      gateway.post('/v3/kv/txn', transactionJson(transaction), 'write', resultOf),
    grantLease: (seconds) => gateway.post('/v3/lease/grant', { TTL: seconds }, 'write', leaseOf),
    renewLease: (id) => gateway.post('/v3/lease/keepalive', { ID: id }, 'read', renewedOf),
    revokeLease: (id) => gateway.post('/v3/lease/revoke', { ID: id }, 'write', () => undefined),
    watch: (prefix, watcher, signal) => watchPrefix(gateway, prefix, watcher, signal),
    follow: (range, from, follower, signal) => followRange(gateway, range, from, follower, signal),
    members: () => gateway.post('/v3/cluster/member/list', {}, 'read', membersOf),
    status: async (url) =>
      gateway.post('/v3/maintenance/status', {}, 'read', statusOf, endpointOf(url)),
    quota: async (url) => quotaOf(endpointOf(url)),
    endpoints: gateway.endpoints.map(({ url }) => url),
    close: () => gateway.close(),
  };
}

const QUOTA = /^etcd_server_quota_backend_bytes (\S+)$/m;

/** The status says it from etcd 3.6 on; metrics have it since 3.3. */
async function quotaOf(endpoint: Endpoint): Promise<Outcome<number>> {
  const attempt = await endpoint.get('/metrics', READ_ATTEMPT_MS_MAX);
  const why = attempt.kind === 'fault' ? attempt.why : `${endpoint.url}: /metrics has no quota`;
  const bytes = attempt.kind === 'fault' ? Number.NaN : Number(QUOTA.exec(attempt.text)?.[1]);
  if (bytes > 0) return { kind: 'done', value: bytes };
  return { kind: 'not-done', reason: 'unreachable', why };
}
