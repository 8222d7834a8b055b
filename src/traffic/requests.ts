import { seededRandom, uniformChoice, zipfChoice } from './choose-key.ts';
import { generatedKey, missingKey } from './data-set.ts';
import { respRequest } from './resp.ts';

/** What the requests are like. */
export interface RequestShape {
  /**
   * `get`; a pipeline of quiet `mg` commands that ends with `mn`; or Redis' `GET`, which is `MGET`
   * for more keys than one.
   */
  readonly command: 'get' | 'meta' | 'redis';
  /** Keys in one request. */
  readonly keysPerRequest: number;
  /** Requests that are sent at once, before the reply to the first is there. */
  readonly pipeline: number;
  readonly choice: 'uniform' | 'zipf';
  /** Share of keys that the server does not have, from 0 to 1. */
  readonly missShare: number;
}

/** Which keys there are: so many generated ones, or a list. */
export type KeySource =
  | { readonly kind: 'generated'; readonly keys: number }
  | { readonly kind: 'list'; readonly keys: readonly string[] };

/**
 * Requests are built before the traffic begins and sent again when all were sent. They name so many
 * keys that the processor's caches cannot hold the records of all of them.
 */
const KEYS_BUILT_MAX = 250_000;

/** Few keys need few requests, so the traffic begins sooner; but not so few that chance shows. */
const KEYS_BUILT_MIN = 20_000;

/** Memory for the requests of one thread, unless one batch takes more. */
const BYTES_BUILT = 32 * 1024 * 1024;

/** Ready bytes, cut into batches that are sent with one write each. */
export class Requests {
  readonly #bytes: Buffer;
  /** Where each batch ends. */
  readonly #ends: readonly number[];
  #next = 0;

  constructor(bytes: Buffer, ends: readonly number[]) {
    this.#bytes = bytes;
    this.#ends = ends;
  }

  /** The next batch. Do not write to it. */
  next(): Buffer {
    const at = this.#next;
    this.#next = at + 1 === this.#ends.length ? 0 : at + 1;
    return this.#bytes.subarray(at === 0 ? 0 : this.#ends[at - 1], this.#ends[at]);
  }
}

/** Builds requests; another seed makes other ones. */
export function buildRequests(shape: RequestShape, source: KeySource, seed: number): Requests {
  const random = seededRandom(seed);
  const nextKey = keyChooser(shape, source, random);
  const keysPerBatch = shape.keysPerRequest * shape.pipeline;
  const keys = Math.max(KEYS_BUILT_MIN, Math.min(KEYS_BUILT_MAX, 4 * countOf(source)));
  const batches = Math.ceil(keys / keysPerBatch);
  const parts: Buffer[] = [];
  const ends: number[] = [];
  let bytes = 0;
  for (let batch = 0; batch < batches && (batch === 0 || bytes < BYTES_BUILT); batch++) {
    let text = '';
    for (let i = 0; i < shape.pipeline; i++) {
      text += requestText(shape, Array.from({ length: shape.keysPerRequest }, nextKey));
    }
    const part = Buffer.from(text, 'latin1');
    parts.push(part);
    bytes += part.length;
    ends.push(bytes);
  }
  return new Requests(Buffer.concat(parts), ends);
}

function countOf(source: KeySource): number {
  return source.kind === 'generated' ? source.keys : source.keys.length;
}

function keyChooser(
  { choice, missShare }: RequestShape,
  source: KeySource,
  random: () => number,
): () => string {
  const count = countOf(source);
  const choose = choice === 'zipf' ? zipfChoice(count, random) : uniformChoice(count, random);
  return () => {
    const id = choose();
    if (missShare > 0 && random() < missShare) return missingKey(id);
    return source.kind === 'generated' ? generatedKey(id) : source.keys[id];
  };
}

function requestText({ command }: RequestShape, keys: readonly string[]): string {
  if (command === 'get') return `get ${keys.join(' ')}\r\n`;
  if (command === 'redis') return respRequest([keys.length === 1 ? 'GET' : 'MGET', ...keys]);
  return `${keys.map((key) => `mg ${key} v k q\r\n`).join('')}mn\r\n`;
}
