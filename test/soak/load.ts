import type { Address } from '../../src/server/address.ts';
import type { Random } from '../support/random-bytes.ts';
import { type Hit, TextClient } from '../support/text-client.ts';
import { KEYS, keyOf, recordValue } from './files.ts';
import type { Timeline, Version } from './timeline.ts';

/** Keys of one request at most. */
const ASKED_MAX = 20;

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
  requests: number;
  keys: number;
}

/** A client that asks until the run is over and checks each answer; it connects again after a kill. */
export async function runClient(share: LoadShare): Promise<void> {
  while (!share.isOver()) {
    let client: TextClient | undefined;
    const life = share.life();
    try {
      client = await TextClient.connect(share.address());
      while (!share.isOver()) {
        await askOnce(client, share);
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

async function askOnce(client: TextClient, share: LoadShare): Promise<void> {
  const { random, timeline } = share;
  const numbers = Array.from({ length: 1 + random.below(ASKED_MAX) }, () => random.below(KEYS));
  const askedAtMs = performance.now();
  const hits = await client.get(numbers.map(keyOf), 'gets');
  share.requests++;
  share.keys += numbers.length;
  const found = versionOf(numbers, hits);
  if (typeof found === 'object') {
    share.onFault(found.wrong);
  } else if (!timeline.mayAnswer(found, askedAtMs)) {
    share.onFault(`answered from version ${found}; ${timeline.describe()}`);
  }
}

/** @returns The one version that all of the answer is from, or what is wrong with it. */
function versionOf(
  numbers: readonly number[],
  hits: readonly Hit[],
): Version | { readonly wrong: string } {
  if (hits.length === 0) return 'foreign';
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
