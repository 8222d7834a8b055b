import { GoromdbError } from '../common/errors.ts';
import type { Etcd } from './etcd.ts';
import { type EtcdOptions, Gateway } from './gateway.ts';
import { watchPrefix } from './watch.ts';
import {
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
  return {
    range: (range) => gateway.post('/v3/kv/range', rangeJson(range), 'read', foundOf),
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
    members: () => gateway.post('/v3/cluster/member/list', {}, 'read', membersOf),
    status: async (url) => {
      const endpoint = gateway.endpoints.find((one) => one.url === url.replace(/\/+$/, ''));
      if (endpoint === undefined) throw new GoromdbError('OPTION_INVALID', `${url} is no endpoint`);
      return gateway.post('/v3/maintenance/status', {}, 'read', statusOf, endpoint);
    },
    endpoints: gateway.endpoints.map(({ url }) => url),
    close: () => gateway.close(),
  };
}
