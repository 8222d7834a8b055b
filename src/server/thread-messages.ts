import type { ServerFacts } from '../protocol/protocol.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import type { TableParts } from '../storage/table.ts';
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
  readonly facts: ServerFacts;
  readonly limits: Limits;
  readonly access: AccessOptions;
  readonly loudRefusals: boolean;
  /** Whether a client may end the server. */
  readonly allowShutdown: boolean;
}

/** A client has sent `shutdown`. */
export const SHUTDOWN = 'shutdown';

/** What a thread tells unasked. */
export type ThreadNews = typeof SHUTDOWN | { readonly report: ClientReport };

export type ThreadRequest =
  | { readonly kind: 'listen'; readonly target: ListenTarget }
  | { readonly kind: 'swap'; readonly table: TableParts; readonly info: DataSetInfo }
  | { readonly kind: 'hurry-stale' }
  | { readonly kind: 'reload' }
  | { readonly kind: 'close'; readonly graceMs: number | undefined };

/** The reply to `listen`; the others have nothing to tell. */
export interface ThreadReply {
  readonly address?: Address | undefined;
}
