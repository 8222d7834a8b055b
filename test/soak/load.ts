import type { Address } from '../../src/common/address.ts';
import type { Random } from '../support/random-bytes.ts';
import { TextClient } from '../support/text-client.ts';
import { DIALECTS, type Dialect, type Found } from './dialects.ts';
import { FOREIGN_KEYS, foreignKey, foreignValue, KEYS, keyOf, recordValue } from './files.ts';
import { NOTHING, type Timeline, type Version } from './timeline.ts';

/** Time between two requests of a client, on average: the soak looks for faults, not for speed. */
const PACE_MS = 4;

/** What is said of a lost connection may come later than its end. */
const TOLD_MS = 500;

/** A data set, as clients see it. */
interface AskedSet {
  /** What its keys begin with. */
  readonly keyPrefix: string;
  readonly timeline: Timeline;
}

/** What the clients of a run share. */
export interface LoadShare {
  /** Those that the server has now. */
  readonly sets: () => readonly AskedSet[];
  readonly random: Random;
  readonly address: () => Address;
  /** Which process serves, counted from 1; undefined while there is none. */
  readonly life: () => number | undefined;
  /** Whether a connection may have been lost with the serving thread that it belonged to. */
  readonly isLost: (connection: Connection) => boolean;
  readonly onFault: (fault: string) => void;
  readonly isOver: () => boolean;
  /** By dialect. */
  readonly requests: Record<string, number>;
  keys: number;
  /** Answers that were checked against the records of a file of another program. */
  foreign: number;
  /** Connections that were lost with a serving thread. */
  lost: number;
}

/** A client's connection, or the try to get one. */
export interface Connection {
  readonly sinceMs: number;
  /** The client's port; undefined: nothing was answered yet, so no thread may have accepted it. */
  readonly port: number | undefined;
}

/** Requests that a connection makes at most: then the next one speaks another protocol. */
const REQUESTS_MAX = 200;

/** A client that asks until the run is over and checks each answer; it connects again after a kill. */
export async function runClient(share: LoadShare): Promise<void> {
  while (!share.isOver()) {
    let client: TextClient | undefined;
    const life = share.life();
    const sinceMs = performance.now();
    let port: number | undefined;
    try {
      client = await TextClient.connect(share.address());
      const dialect = DIALECTS[share.random.below(DIALECTS.length)];
      for (let left = REQUESTS_MAX; left > 0 && !share.isOver(); left--) {
        await askOnce(client, dialect, share);
        port = client.port;
        await sleep(share.random.below(2 * PACE_MS));
      }
    } catch (error) {
      await sleep(TOLD_MS);
      judgeLoss(share, life, { sinceMs, port }, error);
    }
    client?.close();
  }
}

/** Connections may be lost with the process or thread that they belong to, and not otherwise. */
function judgeLoss(
  share: LoadShare,
  life: number | undefined,
  connection: Connection,
  error: unknown,
): void {
  if (life === undefined || share.life() !== life) return;
  if (share.isLost(connection)) share.lost++;
  else share.onFault(`a connection failed: ${String(error)}`);
}

async function askOnce(client: TextClient, dialect: Dialect, share: LoadShare): Promise<void> {
  const { random } = share;
  const asked = chooseSets(share, dialect).map((set) => {
    const { keyPrefix } = set;
    const count = 1 + random.below(dialect.keysMax);
    const numbers = Array.from({ length: count }, () => random.below(KEYS));
    // One that only the files of other programs have.
    const other = count < dialect.keysMax ? foreignKey(1 + random.below(FOREIGN_KEYS)) : undefined;
    const names = [...numbers.map(keyOf), ...(other === undefined ? [] : [other])];
    share.keys += count;
    return { set, numbers, other, keys: names.map((name) => keyPrefix + name) };
  });
  const askedAtMs = performance.now();
  const hits = await dialect.ask(
    client,
    asked.flatMap(({ keys }) => keys),
  );
  share.requests[dialect.name] = (share.requests[dialect.name] ?? 0) + 1;
  let at = 0;
  for (const { set, numbers, other, keys } of asked) {
    // Hits come in the order of the keys.
    const end = hits.findIndex(({ key }, i) => i >= at && !keys.includes(key));
    const own = hits.slice(at, end < 0 ? hits.length : end);
    at += own.length;
    judge(share, set, versionsOf(set, numbers, other, own), askedAtMs);
  }
  if (at < hits.length) share.onFault(`${hits.length - at} answers to what was not asked`);
}

/** One data set, or several in one request. */
function chooseSets({ sets, random }: LoadShare, dialect: Dialect): readonly AskedSet[] {
  const all = sets();
  const first = random.below(all.length);
  const isOne = dialect.keysMax === 1 || random.below(2) === 0;
  return isOne ? [all[first]] : [...all.slice(first), ...all.slice(0, first)];
}

type Answered = readonly Version[] | { readonly wrong: string };

function judge(
  share: LoadShare,
  { timeline, keyPrefix }: AskedSet,
  found: Answered,
  askedAtMs: number,
): void {
  if ('wrong' in found) {
    share.onFault(found.wrong);
    return;
  }
  const version = found.find((one) => timeline.mayAnswer(one, askedAtMs));
  if (version === undefined) {
    const set = keyPrefix === '' ? '' : ` of ${keyPrefix}`;
    share.onFault(`answered from version ${found}${set}; ${timeline.describe()}`);
  } else if (version === 'foreign' && found.length === 1) {
    share.foreign++;
  }
}

/** @returns The version of the whole answer (or those that it may have), or what is wrong with it. */
function versionsOf(
  { keyPrefix }: AskedSet,
  numbers: readonly number[],
  other: string | undefined,
  hits: readonly Found[],
): Answered {
  const isForeign = !hits.some(({ key }) => key !== `${keyPrefix}${other}`);
  if (isForeign) {
    if (other === undefined) return ['foreign', NOTHING];
    if (hits.length === 0) return [NOTHING];
    if (hits[0].value.equals(Buffer.from(foreignValue(other)))) return ['foreign'];
    return { wrong: `no key of the soak is there, and ${other} is ${hits[0].value}` };
  }
  if (hits.length !== numbers.length) {
    return { wrong: `${hits.length} hits for ${numbers.length} keys that are all there` };
  }
  const version = Number.parseInt(hits[0].value.toString('latin1'), 10);
  for (const [i, { key, value, cas }] of hits.entries()) {
    const isRight =
      key === keyPrefix + keyOf(numbers[i]) &&
      value.equals(Buffer.from(recordValue(version, numbers[i])));
    if (!isRight || cas !== hits[0].cas) {
      const shown = value.toString('latin1', 0, 40);
      return { wrong: `in an answer from version ${version}, ${key} (cas ${cas}) is ${shown}` };
    }
  }
  return [version];
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
