import type { ServerFacts } from '../protocol/protocol.ts';
import type { TableSlice } from '../storage/checksum.ts';
import type { LoadNews } from '../storage/load-news.ts';
import type { ServedTable } from '../storage/table.ts';
import type { AccessOptions } from './access.ts';
import type { Address } from './address.ts';
import type { ClientReport } from './client-log.ts';
import type { Limits } from './limits.ts';
import type { ListenTarget } from './listener.ts';

/** What a thread is started with. */
export interface ThreadData {
  readonly thread: number;
  readonly protocol: string;
  readonly handler: string;
  /** What ends the prefixes of several data sets; undefined: there is one, without. */
  readonly delimiter: string | undefined;
  readonly counterMemory: SharedArrayBuffer;
  readonly facts: ServerFacts;
  readonly limits: Limits;
  readonly access: AccessOptions;
  readonly loudRefusals: boolean;
  /** Whether a client may end the server. */
  readonly allowShutdown: boolean;
}

/** A client has sent `shutdown`. */
export const SHUTDOWN = 'shutdown';

/** A data set by the prefix of its keys; empty: the one without, or the only one. */
export interface PlacedSet {
  readonly set: string;
  /** For its lookups: see `LookupSampler`. */
  readonly sampleMemory: SharedArrayBuffer;
  /** The number that all data sets together have from now on. */
  readonly generation: number;
}

/** What a data set is to serve. */
export interface PlacedTable extends PlacedSet, ServedTable {
  /** Whether the table that serves now is kept, to go back to. */
  readonly keepsPrevious: boolean;
}

/** To go back to the table that was kept, as this generation. */
export interface PlacedAgain extends PlacedSet, Pick<ServedTable, 'info'> {}

/** A table that a thread had to itself. */
export interface LeftTable {
  readonly set: string;
  readonly served: ServedTable;
}

/** It ends, and hands back the tables that were its own. */
interface Farewell {
  readonly left: readonly LeftTable[];
}

/** What a thread tells unasked. */
export type ThreadNews = typeof SHUTDOWN | Farewell | { readonly report: ClientReport };

export type ThreadRequest =
  | { readonly kind: 'listen'; readonly target: ListenTarget }
  | ({ readonly kind: 'swap' } & PlacedTable)
  | ({ readonly kind: 'swap-back' } & PlacedAgain)
  /** Whether it has a table of this generation to go back to. */
  | { readonly kind: 'holds'; readonly set: string; readonly generation: number }
  /** Let go of the table that was kept. */
  | { readonly kind: 'release'; readonly set: string }
  /** A data set that has nothing to serve yet. */
  | ({ readonly kind: 'add' } & PlacedSet)
  | ({ readonly kind: 'remove' } & Omit<PlacedSet, 'sampleMemory'>)
  | { readonly kind: 'news'; readonly set: string; readonly news: LoadNews }
  | { readonly kind: 'hurry-stale' }
  | { readonly kind: 'reload' }
  | { readonly kind: 'ping' }
  /** Go on with the sum of a region of the table: see `regionsOf`. */
  | ({ readonly kind: 'sum'; readonly set: string } & TableSlice)
  | { readonly kind: 'close'; readonly graceMs: number | undefined };

/** The reply to `listen`, to `holds` and to `sum`; the others have nothing to tell. */
export interface ThreadReply {
  readonly address?: Address | undefined;
  readonly isHeld?: boolean | undefined;
  /** Undefined when another generation serves. */
  readonly sum?: number | undefined;
}
