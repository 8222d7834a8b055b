import type { DataSetInfo } from '../../storage/storage.ts';
import type { SessionContext } from '../protocol.ts';
import type { RespVersion } from './output.ts';
import type { SlotSearch } from './slot-keys.ts';
import type { Transaction } from './transaction.ts';

/** What CLIENT TRACKING takes. */
export interface TrackingOptions {
  /** Of `bcast`, `optin`, `optout` and `noloop`. */
  readonly flags: ReadonlySet<string>;
  /** The id of the client that is notified instead; 0: itself. */
  readonly redirect: number;
  /** Of BCAST. */
  readonly prefixes: readonly string[];
}

/**
 * What a client tracks, to keep values of its own. Data changes by a swap and in no other
 * way, so whatever a client tracks, a swap has it forget all. Its prefixes do not overlap.
 */
export interface Tracking extends TrackingOptions {
  /** Memory that the prefixes take. */
  readonly heldBytes: number;
}

/** What the server knows of one client. */
export interface Client {
  readonly id: number;
  /** When it connected, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** '' for none. */
  name: string;
  /** Whom it has logged in as. */
  user: string;
  /**
   * The command that it sent last, as `client|list`: one that is known, no text of its own. '' for
   * none.
   */
  lastCommand: string;
  resp: RespVersion;
  /** Whether it has logged in, or need not. */
  isKnown: boolean;
  /** Its logins that failed. */
  loginFailures: number;
  /** What came since MULTI. */
  transaction: Transaction | undefined;
  /** The data as it was at WATCH. */
  watched: DataSetInfo | undefined;
  /** What it tracks. */
  tracking: Tracking | undefined;
  /** Whether it is notified of swaps, for others that track: see `SUBSCRIBE`. */
  isSubscribed: boolean;
  /** Whether its thread has swapped and it still has to be notified: see `isToBeNotified`. */
  hasSwapped: boolean;
  /** The same, when all threads have. */
  hasSwappedEverywhere: boolean;
  /** A `CLUSTER GETKEYSINSLOT` under way. */
  slotSearch: SlotSearch | undefined;
  /** Whether the connection is to be closed once the reply is out. */
  isEnding: boolean;
}

/** Whom a client is, or means, that gives no name. */
export const DEFAULT_USER = 'default';

/** A client that has said nothing yet. */
export function newClient(id: number, isKnown: boolean): Client {
  return {
    id,
    sinceMs: Date.now(),
    name: '',
    user: DEFAULT_USER,
    lastCommand: '',
    resp: 2,
    isKnown,
    transaction: undefined,
    watched: undefined,
    tracking: undefined,
    isSubscribed: false,
    hasSwapped: false,
    hasSwappedEverywhere: false,
    slotSearch: undefined,
    isEnding: false,
    loginFailures: 0,
  };
}

/** Memory that it takes. */
export function heldBytesOf({ transaction, tracking, slotSearch }: Client): number {
  const held = (transaction?.heldBytes ?? 0) + (tracking?.heldBytes ?? 0);
  return held + (slotSearch?.heldBytes ?? 0);
}

/** A client, and where it is connected. */
export interface ConnectedClient {
  readonly client: Client;
  readonly connection: SessionContext['connection'];
}
