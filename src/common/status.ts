/**
 * What a server says of itself. `goromdb status`, `stats`, `INFO` and receipts show parts of it,
 * and `Goromdb.status` returns all of it. It is plain data, for JSON. Times are in milliseconds
 * since 1970 where the name says `Ms`, else in ISO 8601.
 */
export interface Status {
  readonly server: ServerStatus;
  /** Those of this process; none once it is closed. */
  readonly dataSets: readonly DataSetStatus[];
}

export interface ServerStatus {
  /** Of goromdb. */
  readonly version: string;
  /** Of Node, as `v22.1.0`. */
  readonly node: string;
  readonly pid: number;
  /** Where it listens, as `127.0.0.1:11211` or `unix:/path`. */
  readonly address: string;
  readonly startedAtMs: number;
  readonly uptimeSeconds: number;
  /** CPU time of the process. */
  readonly cpuSeconds: { readonly user: number; readonly system: number };
  /** Memory of the process, with the pages of tables that it has touched. */
  readonly residentBytes: number;
  readonly threads: readonly ThreadStatus[];
  /** What clients have asked, by protocol: `text`, `meta`, `binary`, `redis`. */
  readonly requests: readonly RequestFigures[];
  readonly refusedWrites: readonly RefusedWrites[];
  /** Open connections of all threads. */
  readonly connections: number;
  readonly connectionsMax: number;
  /** With TLS: when the first of its certificates expires. */
  readonly certificateExpiresAt?: string | undefined;
  /** What it was started with: the lines of `stats settings` that can differ. */
  readonly settings: Settings;
}

/** By memcached's names where it has them. Sizes are in bytes, times in seconds. */
export type Settings = Readonly<Record<string, string | number>>;

/** A serving thread. */
export interface ThreadStatus {
  readonly connections: number;
  /** How often it died and was replaced. */
  readonly restarts: number;
  /** How late its event loop was in the last one to two minutes. */
  readonly loopDelay: { readonly p99Seconds: number; readonly maxSeconds: number };
}

/** Requests in one protocol, counted by reads: one read may bring several, or a part of one. */
export interface RequestFigures {
  readonly protocol: string;
  /** Seconds from the read until the whole reply is given to the system. */
  readonly duration: Histogram;
  /** Bytes of the read. */
  readonly size: Histogram;
}

/** Values in buckets. */
export interface Histogram {
  readonly count: number;
  readonly sum: number;
  /** How many are up to each bound; those above the last one are in `count` only. */
  readonly buckets: readonly (readonly [upTo: number, count: number])[];
}

export interface RefusedWrites {
  readonly protocol: string;
  readonly command: string;
  readonly count: number;
}

/** Drops that came to the same, for the same reason. */
export interface LoadFigures {
  readonly outcome: 'taken' | 'rejected' | 'failed';
  /** An `ErrorCode`; empty: it was taken. */
  readonly reason: string;
  readonly count: number;
}

/** Keys of a data set that were looked up in one protocol. */
export interface LookupFigures {
  readonly protocol: string;
  readonly hits: number;
  readonly misses: number;
}

export interface DataSetStatus extends LoadNews {
  /** Comes before its keys; empty: none. */
  readonly prefix: string;
  /** Absolute path of the file that it waits for. */
  readonly file: string;
  /** Absolute path of the folder that holds the slots. */
  readonly basedir: string;
  /** Undefined: every key is a miss. */
  readonly serving?: ServingStatus | undefined;
  /** The generation before, mapped and ready for a rollback. */
  readonly previous?: GenerationStatus | undefined;
  /** The load under way. */
  readonly loading?: LoadStatus | undefined;
  /** Why nothing serves although the slots have held a generation. */
  readonly fault?: string | undefined;
  /** What was counted since the data set was added to this process. */
  readonly counters: Readonly<Record<DataSetCounter, number>>;
  /** Keys that clients have looked up in it, by protocol. */
  readonly lookups: readonly LookupFigures[];
  /**
   * Seconds from a read that asks for its keys until the whole reply is given to the system. A read that
   * asks several data sets counts for the last of them. Undefined: the threads do not know it yet.
   */
  readonly duration?: Histogram | undefined;
  /** What became of drops, by why. */
  readonly loads: readonly LoadFigures[];
  /** The last ten, the newest last; those of earlier processes too. */
  readonly events: readonly FolderEvent[];
}

/** What is counted by data set; `Goromdb.counters` has what each means. */
export type DataSetCounter =
  | 'loads_taken'
  | 'loads_rejected'
  | 'loads_failed'
  | 'scrub_passes'
  | 'scrub_file_faults'
  | 'scrub_table_faults';

/** What serving threads know of the loads of a data set. */
export interface LoadNews {
  /** Why the last load failed, or its file was rejected; undefined since one that served. */
  readonly lastError?: LoadError | undefined;
  /** A drop that is there and is not loaded now. */
  readonly waiting?: WaitingDrop | undefined;
}

export interface LoadError {
  /** An `ErrorCode`. */
  readonly code: string;
  /** One line of at most 250 characters. */
  readonly text: string;
  readonly atMs: number;
}

export interface WaitingDrop {
  /** Why it waits, such as `SUM_MISSING`. */
  readonly code: string;
  /** One line of at most 250 characters. */
  readonly text: string;
  readonly sinceMs: number;
}

/** A file that was dropped and has become a generation. */
export interface GenerationStatus {
  readonly slot: 'data00' | 'data01';
  /** Grows by one with each file that is put into service, over restarts also. */
  readonly generation: number;
  /** After a rollback: the number under which the same data was served before. */
  readonly restores?: number | undefined;
  /** Of the dropped file, in lower-case hex. */
  readonly md5: string;
  /** Size of the dropped file. */
  readonly bytes: number;
  readonly keys: number;
  /** Format of the dropped file, such as `json`. */
  readonly format: string;
  /** Absolute path that the file was dropped at. */
  readonly source: string;
  /** When it was installed, or rolled back to. A restart does not change it. */
  readonly installedAt: string;
  /** What the owner of the data should know. */
  readonly warnings?: readonly string[] | undefined;
}

export interface ServingStatus extends GenerationStatus {
  /** Size of the table that serves. */
  readonly tableBytes: number;
  /** Since when this process serves it. */
  readonly servedSinceMs: number;
  /** What the stages of its load took; of a generation that was found in a slot, few or none. */
  readonly loadSeconds: Readonly<Partial<Record<LoadStage, number>>>;
  /** Damage that a scrub found in the dropped file. The table made of it is sound, and serves. */
  readonly fileFault?: string | undefined;
}

export type LoadStage = 'verify' | 'scan' | 'index' | 'move' | 'swap';

export interface LoadStatus {
  /** Path of the file. */
  readonly path: string;
  readonly stage: LoadStage;
  readonly sinceMs: number;
  /** Bytes that this stage has done; undefined while they would show a linked file's size. */
  readonly bytes?: number | undefined;
}

/** Something that happened to a base folder. */
export interface FolderEvent {
  readonly at: string;
  readonly kind: EventKind;
  readonly text: string;
}

export type EventKind =
  | 'started'
  | 'serving'
  | 'loaded again'
  | 'rejected'
  | 'failed'
  | 'aborted'
  | 'rolled back'
  | 'slot not used'
  | 'nothing to serve'
  | 'damaged'
  | 'closed';

/** One number of `Goromdb.counters`. Those with the same name follow each other. */
export interface Metric {
  /** Its name in `stats`, with `data_set_` before it where it is about one data set. */
  readonly name: string;
  /**
   * A counter only grows, until a restart or a client resets it; a gauge is the value now; the value of a
   * histogram is the number of values in it.
   */
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** One sentence, with the unit. */
  readonly help: string;
  /** `data_set`: the prefix of its keys, where it is about one data set. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Of a histogram. */
  readonly histogram?: Histogram;
}
