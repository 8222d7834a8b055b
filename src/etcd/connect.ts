import { GoromdbError } from '../common/errors.ts';
import type { EndpointStatus, Etcd, Member, Outcome } from './etcd.ts';
import { type EtcdOptions, Gateway } from './gateway.ts';
import { watchPrefix } from './watch.ts';
import {
  foundOf,
  putJson,
  rangeJson,
  resultOf,
  transactionJson,
  type WireRange,
  type WireTransaction,
} from './wire.ts';

interface WireStatus {
  readonly header?: { readonly member_id?: string };
  readonly version?: string;
  readonly dbSize?: string;
  readonly leader?: string;
  readonly raftTerm?: string;
}

interface WireMembers {
  readonly members?: readonly {
    readonly ID?: string;
    readonly name?: string;
    readonly clientURLs?: readonly string[];
  }[];
}

/**
 * A client of a cluster. It connects when it is first asked.
 *
 * @throws GoromdbError OPTION_INVALID.
 */
export function connectEtcd(options: EtcdOptions): Etcd {
  const gateway = new Gateway(options);
  const kv = {
    range: async (range) =>
      map(await gateway.post<WireRange>('/v3/kv/range', rangeJson(range), 'read'), foundOf),
    put: async (key, value, lease) =>
      map(
        await gateway.post<WireRange>('/v3/kv/put', putJson(key, value, lease), 'write'),
        ({ header }) => ({ revision: Number(header?.revision ?? 0) }),
      ),
    transact: async (transaction) =>
      map(
        await gateway.post<WireTransaction>('/v3/kv/txn', transactionJson(transaction), 'write'),
        resultOf,
      ),
  } satisfies Partial<Etcd>;
  return {
    ...kv,
    ...leases(gateway),
    watch: (prefix, watcher, signal) => watchPrefix(gateway, prefix, watcher, signal),
    members: async () =>
      map(await gateway.post<WireMembers>('/v3/cluster/member/list', {}, 'read'), membersOf),
    status: async (url) => {
      const endpoint = gateway.endpoints.find((one) => one.url === url.replace(/\/+$/, ''));
      if (endpoint === undefined) throw new GoromdbError('OPTION_INVALID', `${url} is no endpoint`);
      const path = '/v3/maintenance/status';
      return map(await gateway.post<WireStatus>(path, {}, 'read', endpoint), statusOf);
    },
    endpoints: gateway.endpoints.map(({ url }) => url),
    close: () => gateway.close(),
  };
}

function leases(gateway: Gateway): Pick<Etcd, 'grantLease' | 'renewLease' | 'revokeLease'> {
  return {
    grantLease: async (seconds) =>
      map(
        await gateway.post<{ readonly ID: string }>('/v3/lease/grant', { TTL: seconds }, 'write'),
        ({ ID }) => ID,
      ),
    renewLease: async (id) => {
      type Renewed = { readonly result?: { readonly TTL?: string } };
      const outcome = await gateway.post<Renewed>('/v3/lease/keepalive', { ID: id }, 'read');
      return map(outcome, ({ result }) => Number(result?.TTL ?? 0));
    },
    revokeLease: async (id) =>
      map(await gateway.post<object>('/v3/lease/revoke', { ID: id }, 'write'), () => undefined),
  };
}

function map<A, B>(outcome: Outcome<A>, of: (value: A) => B): Outcome<B> {
  return outcome.kind === 'done' ? { kind: 'done', value: of(outcome.value) } : outcome;
}

function membersOf({ members = [] }: WireMembers): readonly Member[] {
  return members.map(({ ID = '', name = '', clientURLs = [] }) => {
    return { id: ID, name, clientUrls: clientURLs };
  });
}

function statusOf({ header, version = '', dbSize, leader, raftTerm }: WireStatus): EndpointStatus {
  return {
    memberId: header?.member_id ?? '',
    version,
    databaseBytes: Number(dbSize ?? 0),
    leaderId: leader ?? '0',
    term: Number(raftTerm ?? 0),
  };
}
