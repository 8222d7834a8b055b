import type { Address } from '../../src/server/address.ts';
import type { Random } from '../support/random-bytes.ts';
import { TextClient } from '../support/text-client.ts';
import { DIALECTS, type Dialect, type Found } from './dialects.ts';
import { FOREIGN_KEYS, foreignKey, foreignValue, KEYS, keyOf, recordValue } from './files.ts';
import type { Timeline, Version } from './timeline.ts';

/** Time between two requests of a client, on average: the soak looks for faults, not for speed. */
const PACE_MS = 4;

/** What the clients of a run share. */
export interface LoadShare {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly address: () => Address;
  /** Which process serves, counted from 1; undefined while there is none. */
  readonly life: () => number | undefined;
  readonly onFault: (fault: string) => void;
  readonly isOver: () => boolean;
  /** By dialect. */
  readonly requests: Record<string, number>;
  keys: number;
  /** Answers that were checked against the records of a file of another program. */
  foreign: number;
}

/** Requests that a connection makes at most: then the next one speaks another protocol. */
const REQUESTS_MAX = 200;

/** A client that asks until the run is over and checks each answer; it connects again after a kill. */
export async function runClient(share: LoadShare): Promise<void> {
  while (!share.isOver()) {
    let client: TextClient | undefined;
    const life = share.life();
    try {
      client = await TextClient.connect(share.address());
      const dialect = DIALECTS[share.random.below(DIALECTS.length)];
      for (let left = REQUESTS_MAX; left > 0 && !share.isOver(); left--) {
        await askOnce(client, dialect, share);
        await sleep(share.random.below(2 * PACE_MS));
      }
    } catch (error) {
      // Connections may be lost with the process that they belong to, and not otherwise.
      const isItsFault = life !== undefined && share.life() === life;
      if (isItsFault) share.onFault(`a connection failed: ${String(error)}`);
      await sleep(20);
    }
    client?.close();
  }
}

async function askOnce(client: TextClient, dialect: Dialect, share: LoadShare): Promise<void> {
  const { random, timeline } = share;
  const count = 1 + random.below(dialect.keysMax);
  const numbers = Array.from({ length: count }, () => random.below(KEYS));
  const keys = numbers.map(keyOf);
  // One that only the files of other programs have.
  const other = count < dialect.keysMax ? foreignKey(1 + random.below(FOREIGN_KEYS)) : undefined;
  const askedAtMs = performance.now();
  const hits = await dialect.ask(client, other === undefined ? keys : [...keys, other]);
  share.requests[dialect.name] = (share.requests[dialect.name] ?? 0) + 1;
  share.keys += count;
  const found = versionOf(numbers, other, hits);
  if (found === 'foreign' && other !== undefined) share.foreign++;
  if (typeof found === 'object') {
    share.onFault(found.wrong);
  } else if (!timeline.mayAnswer(found, askedAtMs)) {
    share.onFault(`answered from version ${found}; ${timeline.describe()}`);
  }
}

/** @returns The one version that all of the answer is from, or what is wrong with it. */
function versionOf(
  numbers: readonly number[],
  other: string | undefined,
  hits: readonly Found[],
): Version | { readonly wrong: string } {
  const isForeign = !hits.some(({ key }) => key !== other);
  if (isForeign) {
    if (other === undefined || hits.at(0)?.value.equals(Buffer.from(foreignValue(other)))) {
      return 'foreign';
    }
    return { wrong: `no key of the soak is there, and ${other} is ${hits.at(0)?.value}` };
  }
  if (hits.length !== numbers.length) {
    return { wrong: `${hits.length} hits for ${numbers.length} keys that are all there` };
  }
  const version = Number.parseInt(hits[0].value.toString('latin1'), 10);
  for (const [i, { key, value, cas }] of hits.entries()) {
    const isRight =
      key === keyOf(numbers[i]) && value.equals(Buffer.from(recordValue(version, numbers[i])));
    if (!isRight || cas !== hits[0].cas) {
      const shown = value.toString('latin1', 0, 40);
      return { wrong: `in an answer from version ${version}, ${key} (cas ${cas}) is ${shown}` };
    }
  }
  return version;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
