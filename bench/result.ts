import type { Programs } from './machine.ts';
import type { Measured } from './measure.ts';

/** One line of a table: what each server did in one scenario. */
export interface Row {
  readonly name: string;
  /** What is plotted against: keys or connections. */
  readonly x?: number;
  /** goromdb first. All other figures are shown as ratios to memcached's. */
  readonly servers: readonly ServerResult[];
}

export interface ServerResult extends Measured {
  readonly server: string;
}

/** One figure of its own. */
export interface Note {
  readonly name: string;
  readonly text: string;
}

export interface SectionResult {
  readonly rows: readonly Row[];
  readonly notes: readonly Note[];
}

/** How long and how often to measure, and what. */
export interface Effort {
  readonly seconds: number;
  readonly rounds: number;
  /** Keys at most, for machines with little memory or time. */
  readonly keysMax: number;
  readonly programs: Programs;
}

export type Section = (effort: Effort) => Promise<SectionResult>;

/** @returns What a server did; undefined when it took no part. */
export function resultOf(row: Row, server: string): ServerResult | undefined {
  return row.servers.find((result) => result.server === server);
}
