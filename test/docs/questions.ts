/** A question that users of other servers ask, and where these pages answer it. */
export interface Question {
  readonly asks: string;
  /** The thread that asks it. */
  readonly in: string;
  /** The page, and the heading in it, if it has one for this. */
  readonly at: string;
  /** What the answer says there. */
  readonly says: RegExp;
}

/** Written first, from threads of memcached, Redis, etcd, sequins and their clients; then the pages were mended. */
export const QUESTIONS: readonly Question[] = [
  {
    asks: 'How do I list all keys?',
    in: 'memcachier/memjs#61',
    at: 'docs/protocols.md#memcached-text',
    says: /metadump/,
  },
  {
    asks: 'My key is longer than 250 bytes. What happens?',
    in: '3rd-Eden/memcached#31',
    at: 'docs/limits.md#of-clients',
    says: /key in memcached's protocols \| 250 bytes/,
  },
  {
    asks: 'How do I store values of more than 1 MB?',
    in: 'memcached/memcached#1094',
    at: 'docs/limits.md#of-files',
    says: /value \| 512 MiB/,
  },
  {
    asks: 'Keys disappear, and no counter says that they were evicted. Why?',
    in: 'memcached/memcached#207',
    at: 'docs/faq.md#data',
    says: /expire, or get evicted\? \| Never/,
  },
  {
    asks: 'Why are connections rejected?',
    in: 'memcached/memcached#918',
    at: 'docs/limits.md#of-clients',
    says: /`rejected_connections`/,
  },
  {
    asks: 'The container may open 1,024 files only. How many connections is that?',
    in: 'docker-library/memcached#18',
    at: 'docs/limits.md#of-clients',
    says: /Each connection takes a descriptor/,
  },
  {
    asks: 'How do I encrypt connections and ask for a password?',
    in: 'memcached/memcached#428',
    at: 'docs/security.md#tls',
    says: /-tls-cert/,
  },
  {
    asks: 'CLIENT_ERROR unauthenticated: how does a client of the text protocol log in?',
    in: 'memcached/memcached#1170',
    at: 'docs/security.md#login',
    says: /a `set` with any key/,
  },
  {
    asks: 'Connections from other machines are refused. Where does it listen?',
    in: 'redis/redis#5986',
    at: 'README.md#in-production',
    says: /listens on all interfaces/,
  },
  {
    asks: 'A start loads the file for 40 minutes. What does one take here?',
    in: 'redis/redis#3597',
    at: 'docs/performance.md#starts-rollbacks-memory',
    says: /to the first right answer/,
  },
  {
    asks: 'What if the data is larger than memory?',
    in: 'redis/redis#3202',
    at: 'docs/operations.md#memory',
    says: /larger than memory is no special case/,
  },
  {
    asks: 'MGET says CROSSSLOT. May keys be on several nodes?',
    in: 'redis/redis#9576',
    at: 'docs/cluster.md#clients-of-a-redis-cluster',
    says: /CROSSSLOT/,
  },
  {
    asks: 'How do I restore a backup?',
    in: 'redis/redis#10641',
    at: 'docs/operations.md#backup',
    says: /goromdb restore/,
  },
  {
    asks: 'How do I upgrade without an interruption?',
    in: 'bitnami/charts#4088',
    at: 'docs/upgrade.md',
    says: /No\s+connection is refused/,
  },
  {
    asks: 'How do I see how long requests take?',
    in: 'prometheus/memcached_exporter#122',
    at: 'docs/monitoring.md#what-requests-take',
    says: /goromdb_request_duration_seconds/,
  },
  {
    asks: 'What do I give to a readiness probe?',
    in: 'grafana/mimir#9771',
    at: 'docs/http-api.md#of-a-server',
    says: /For a readiness probe/,
  },
  {
    asks: 'How do I know that all servers have the new version?',
    in: 'stripe-archive/sequins#97',
    at: 'docs/operations.md#several-servers',
    says: /-expect-all/,
  },
  {
    asks: 'Does it take the files that my job writes already?',
    in: 'stripe-archive/sequins#125',
    at: 'docs/migrate.md#from-a-server-of-read-only-files',
    says: /Their files are not read/,
  },
  {
    asks: 'etcd: database space exceeded. How much room is there?',
    in: 'etcd-io/etcd#10312',
    at: 'docs/once.md#etcd',
    says: /--quota-backend-bytes/,
  },
  {
    asks: 'How large may a value in etcd be?',
    in: 'etcd-io/etcd#9925',
    at: 'docs/http-api.md#of-set-once-keys',
    says: /413 the value has more than 1 MiB/,
  },
];
