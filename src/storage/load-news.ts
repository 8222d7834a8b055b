/** What `stats` tells of a data set's loads beside what serves. Plain data, for other threads. */
export interface LoadNews {
  /** What the last load that failed or was rejected came to; undefined since one that served. */
  readonly lastError:
    | { readonly code: string; readonly text: string; readonly atMs: number }
    | undefined;
  /** A drop that is there and is not loaded now. */
  readonly waiting: WaitingDrop | undefined;
}

/** Why a drop waits, and since when. Times are in milliseconds since 1970. */
export interface WaitingDrop {
  readonly code: string;
  readonly text: string;
  readonly sinceMs: number;
}
