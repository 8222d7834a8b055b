import type { ServerFacts } from '../protocol/protocol.ts';
import type { TableSlice } from '../storage/checksum.ts';
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
  readonly counterMemory: SharedArrayBuffer;
  readonly sampleMemory: SharedArrayBuffer;
  readonly facts: ServerFacts;
  readonly limits: Limits;
  readonly access: AccessOptions;
  readonly loudRefusals: boolean;
  /** Whether a client may end the server. */
  readonly allowShutdown: boolean;
}

/** A client has sent `shutdown`. */
export const SHUTDOWN = 'shutdown';

/** It ends, and hands back the table that was its own. */
interface Farewell {
  readonly left: ServedTable;
}

/** What a thread tells unasked. */
export type ThreadNews = typeof SHUTDOWN | Farewell | { readonly report: ClientReport };

export type ThreadRequest =
  | { readonly kind: 'listen'; readonly target: ListenTarget }
  | ({ readonly kind: 'swap' } & ServedTable)
  | { readonly kind: 'hurry-stale' }
  | { readonly kind: 'reload' }
  | { readonly kind: 'ping' }
  /** Go on with the sum of a region of the table: see `regionsOf`. */
  | ({ readonly kind: 'sum' } & TableSlice)
  | { readonly kind: 'close'; readonly graceMs: number | undefined };

/** The reply to `listen` and to `sum`; the others have nothing to tell. */
export interface ThreadReply {
  readonly address?: Address | undefined;
  /** Undefined when another generation serves. */
  readonly sum?: number | undefined;
}
