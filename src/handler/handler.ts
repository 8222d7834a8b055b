/**
 * What belongs in this folder: chooses the data set that a key belongs to, and finds its record.
 */
import type { Batch, DataSetInfo, Entry, RecordVisitor, Storage } from '../storage/storage.ts';

/**
 * The data as it is at one moment. A command takes one view and answers from that alone, so that
 * no reply mixes two generations, and lets go of it when the reply is built.
 */
export interface View {
  get(key: Buffer, start: number, end: number): Entry | undefined;
  /** As `Storage.batch`. */
  readonly batch?: Batch | undefined;
  /** As `Storage.scan`. */
  scan?: ((cursor: number, limit: number, visit: RecordVisitor) => number) | undefined;
  readonly info: DataSetInfo;
  release(): void;
}

/** Where commands get their view of the data. */
export interface ViewSource {
  view(): View;
}

/**
 * Turns a key into a record. Implement it to change how keys map to data sets. An entry in wire form
 * holds the storage's own key; one that was found under another key needs `wireStart: -1`, so that
 * the reply repeats the key that was asked for.
 */
export interface Handler extends ViewSource {
  readonly name: string;
  /** Puts another storage into service. The old one is closed when its last view is released. */
  swap(next: Storage): void;
}
