/** What nodes and members tell whoever runs them. It names nothing of Node: a page reads it, too. */

/** What a node was asked since its start. */
export interface Figures {
  gets: number;
  hits: number;
  misses: number;
  readsUnavailable: number;
  created: number;
  same: number;
  conflicts: number;
  unknown: number;
  refused: number;
  /** Values that the cache was given by a list and a watch of etcd. */
  warmed: number;
  cachedItems: number;
  cachedBytes: number;
}

/** What a node says of itself. */
export interface NodeFacts {
  /** No other process has it. */
  readonly id: string;
  /** Of its machine. */
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAt: string;
  /** Where others reach its HTTP; undefined: nowhere, it listens on a UNIX socket. */
  readonly url?: string | undefined;
}

/** A node, and what it answers. */
export interface NodeView extends NodeFacts {
  readonly figures?: Figures;
  /** Why there are no figures. */
  readonly why?: string;
}

/** A member of etcd. */
export interface MemberView {
  readonly name: string;
  readonly url: string;
  /** `silent`: it does not answer; `lost`: it knows no leader; `unasked`: it is not among `-etcd`. */
  readonly state: 'leader' | 'follower' | 'lost' | 'silent' | 'unasked';
  readonly term?: number;
  readonly version?: string;
  readonly databaseBytes?: number;
  readonly usedBytes?: number;
  readonly quotaBytes?: number | undefined;
  /** Of the request for its status. */
  readonly latencySeconds?: number;
  /** Why it is silent, and what it says is wrong. */
  readonly faults: readonly string[];
}

/** All that `/admin` shows. */
export interface Overview {
  readonly atMs: number;
  /** Id of the node that answers. */
  readonly self: string;
  readonly needsToken: boolean;
  readonly nodes: readonly NodeView[];
  /** Why the other nodes are not known. */
  readonly nodesFault?: string;
  readonly members: readonly MemberView[];
  /** Of all keys; undefined: etcd cannot be asked. */
  readonly keys?: number | undefined;
}
