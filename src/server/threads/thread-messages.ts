import type { Address } from '../../common/address.ts';
import type { LogEntry } from '../../common/log.ts';
import type { LoadNews } from '../../common/status.ts';
import type { ServerFacts, ThreadSettings } from '../../protocol/protocol.ts';
import type { DataSetInfo } from '../../storage/storage.ts';
import type { TableParts } from '../../storage/table/table.ts';
import type { AccessOptions } from '../access.ts';
import type { ClientReport } from '../client-log.ts';
import type { Limits } from '../limits.ts';
import type { ListenRole, ListenTarget } from '../listener.ts';

/** What a thread is started with. */
export interface ThreadData {
  readonly thread: number;
  readonly protocol: string;
  readonly handler: string;
  /** What ends the prefixes of several data sets; undefined: there is one, without. */
  readonly delimiter: string | undefined;
  readonly counterMemory: SharedArrayBuffer;
  /** See `meterOf`. */
  readonly meterMemory: SharedArrayBuffer;
  readonly facts: ServerFacts;
  readonly limits: Limits;
  readonly access: AccessOptions;
  readonly sessions: ThreadSettings;
  readonly logSlowMs: number | undefined;
  /** Whether a client may end the server. */
  readonly allowShutdown: boolean;
}

/** What a thread is started with, and a word that is 1 from when it reports `LOADED`. */
export interface ThreadStart extends ThreadData {
  readonly loaded: Int32Array<SharedArrayBuffer>;
}

/** A client has sent `shutdown`. */
export const SHUTDOWN = 'shutdown';

/** The thread has loaded its native code: from now on it can be ended at any moment. */
export const LOADED = 'loaded';

/** What threads write about the lookups in a data set. */
export interface SetMemory {
  /** See `LookupSampler`. */
  readonly sampleMemory: SharedArrayBuffer;
  /** See `LookupCounts`. */
  readonly countMemory: SharedArrayBuffer;
  /** See `SetDurations`. */
  readonly durationMemory: SharedArrayBuffer;
}

/** A data set by the prefix of its keys; empty: the one without, or the only one. */
export interface PlacedSet extends SetMemory {
  readonly set: string;
  /** The number that all data sets together have from now on. */
  readonly generation: number;
}

/** What a data set is to serve. */
export interface PlacedTable extends PlacedSet {
  readonly table: TableParts;
  readonly info: DataSetInfo;
  /** What the thread calls this use of the table when it is over. */
  readonly lease: number;
}

/** What a thread reports unasked. */
export type ThreadNews =
  | typeof SHUTDOWN
  | typeof LOADED
  | { readonly report: ClientReport }
  | { readonly log: LogEntry }
  /** Nothing in the thread reads from this table any more. */
  | { readonly released: number };

export type ThreadRequest =
  | { readonly kind: 'listen'; readonly target: ListenTarget; readonly role: ListenRole }
  | ({ readonly kind: 'swap' } & PlacedTable)
  /** No thread serves any more what was swapped, added or removed last. */
  | { readonly kind: 'swapped-everywhere' }
  /** A data set that has nothing to serve yet. */
  | ({ readonly kind: 'add' } & PlacedSet)
  | ({ readonly kind: 'remove' } & Pick<PlacedSet, 'set' | 'generation'>)
  | { readonly kind: 'news'; readonly set: string; readonly news: LoadNews }
  | { readonly kind: 'hurry-stale' }
  | { readonly kind: 'reload' }
  | { readonly kind: 'ping' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'close'; readonly graceMs: number | undefined };

/** The reply to `listen`; the others have nothing to report. */
export interface ThreadReply {
  readonly address?: Address | undefined;
  /** What it listens on. */
  readonly fd?: number | undefined;
}
