/** The options of the library. */
import type { Address } from '../common/address.ts';
import type { Logger, LogOptions } from '../common/log.ts';
import type { DataSetOptions, DataSetShare } from '../data-sets/data-set.ts';
import type { HttpOptions } from '../http/http.ts';
import type { LoaderOptions } from '../loader/loader.ts';
import type { SessionSettings } from '../protocol/protocol.ts';
import type { AccessOptions } from '../server/access.ts';
import type { Limits } from '../server/limits.ts';
import type { ShardPlace } from '../shards/place.ts';
import type { Predecessor } from '../upgrade/predecessor.ts';
import type { Inherited } from '../upgrade/upgrade.ts';
import type { RedisClusterPlan } from './redis-cluster.ts';

/** How to serve, whatever the data. */
export interface ServerOptions extends SessionSettings {
  readonly address: Address;
  /** `memcached`, or the URL of a module whose default export is a `Protocol`. */
  readonly protocol?: string;
  readonly limits?: Partial<Limits>;
  /** Who may connect, and how. Default: everybody, without TLS. */
  readonly access?: AccessOptions;
  /** Answers over HTTP too: health, metrics, status and events. Default: no. */
  readonly http?: HttpOptions | undefined;
  /** Let clients end the server by the command `shutdown`. Default: no. */
  readonly allowShutdown?: boolean;
  /** Which part of the keys this server has: files with keys of other shards are refused. */
  readonly place?: ShardPlace | undefined;
  /** Serving threads, 1 to 64. Default 1. */
  readonly threads?: number;
  readonly logger?: Logger;
  /** Log requests that took this long or longer, of those that are measured. Default: none. */
  readonly logSlowMs?: number | undefined;
  /** For progress: see `LoaderOptions`. */
  readonly onLoad?: LoaderOptions['onLoad'];
}

/** One data set, and how to serve it. */
export interface GoromdbOptions extends ServerOptions, DataSetOptions {
  /** `simple`, or the URL of a module whose default export makes a `Handler` of a `Storage`. */
  readonly handler?: string;
}

/** A data set among others: its keys are served as `<prefix><delimiter><key>`. */
export interface PrefixedDataSet extends DataSetOptions {
  /** 1 to 64 bytes. One data set may be without: it has all keys of no other prefix. */
  readonly prefix?: string | undefined;
}

/** Which data sets to serve. */
export interface DataSetsPlan {
  readonly dataSets: readonly PrefixedDataSet[];
}

/** Several data sets, and how to serve them. */
export interface DataSetsOptions extends ServerOptions, DataSetsPlan {
  /** What is between prefix and key. Default `:`. */
  readonly delimiter?: string;
}

/** What to serve, and how: one data set without a prefix is a plan of one. */
export interface ServerPlan extends ServerOptions, DataSetsPlan {
  /** What is between prefix and key; undefined: there is one data set, and it has no prefix. */
  readonly delimiter: string | undefined;
  /** See `GoromdbOptions`; for one data set without a prefix. */
  readonly handler?: string;
  /** Where clients of a Redis Cluster are answered too, and what they are told. */
  readonly redisCluster?: RedisClusterPlan | undefined;
  /** What this process was given in place of what it would bind and lock. */
  readonly inherited?: Inherited | undefined;
  /** The process that this one takes over from. */
  readonly predecessor?: Predecessor | undefined;
  /** What the command `upgrade` does. Default: there is none. */
  readonly upgrade?: (() => Promise<unknown>) | undefined;
  /** Called of each event that a base folder keeps, with the prefix of its data set. */
  readonly onEvent?: DataSetShare['onEvent'];
  /** How a program writes its log, which makes a `logger`. */
  readonly log?: LogOptions;
}
