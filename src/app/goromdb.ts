/** A running server, for a library. */
import type { Address } from '../common/address.ts';
import type { Metric, Status } from '../common/status.ts';
import type { DataSetsPlan } from './options.ts';

/** A running server with its watchers and loaders. */
export interface Goromdb {
  /** Where it listens; with port 0, the port that the system chose. */
  readonly address: Address;
  /** Rejects when the server cannot go on; otherwise resolves when it is closed. */
  readonly done: Promise<void>;
  /**
   * Looks at the drop folder now, and again at files that were refused before; reads certificates
   * and users again, for connections to come.
   */
  reload(): Promise<void>;
  /** How the server and its data sets are, now: from memory, without a look at the disk. */
  status(): Status;
  /**
   * The numbers of `stats`, with what they mean: those of the server, then those of each data set,
   * whose names begin with `data_set_`.
   */
  counters(): readonly Metric[];
  /** Stops accepting, answers what was asked, closes. Safe to call twice. */
  close(): Promise<void>;
}

/** A running server of several data sets. */
export interface GoromdbDataSets extends Goromdb {
  /**
   * Changes to other data sets while it serves: those that are the same stay as they are, one that
   * changed keeps serving what it has until its new data is ready.
   *
   * @throws GoromdbError OPTION_INVALID, FOLDER_IN_USE, FOLDER_UNUSABLE; then all is as it was.
   */
  change(plan: DataSetsPlan): Promise<void>;
}
