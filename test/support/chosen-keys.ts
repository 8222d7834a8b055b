/**
 * Short keys that collide in the fast hash, whose basis everybody can read. `collidingKeys` needs no
 * basis, and makes longer ones.
 *
 * Two blocks of equal length that lead FNV-1a from one state to one other are found by trying some
 * hundred thousand. A chain of n such pairs makes 2^n keys of one state. As the state's upper bits take
 * part in sums only, the chain also works from each other state with the same low byte.
 */
import { FAST_HASH } from '../../src/storage/table/hash.ts';
import { Random } from './random-bytes.ts';

const BLOCK_BYTES = 7;
const LETTERS = Buffer.from('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789');
const BASIS = FAST_HASH.kind === 'fnv1a' ? FAST_HASH.seed : 0;

function stateAfter(bytes: Buffer, from: number): number {
  let state = from | 0;
  for (const byte of bytes) state = Math.imul(state ^ byte, 0x01000193);
  return state;
}

function chainFrom(start: number, length: number): (readonly [Buffer, Buffer])[] {
  const random = new Random(7);
  const chain: (readonly [Buffer, Buffer])[] = [];
  for (let state = start; chain.length < length; ) {
    const seen = new Map<number, Buffer>();
    for (;;) {
      const block = Buffer.alloc(BLOCK_BYTES);
      for (let i = 0; i < BLOCK_BYTES; i++) block[i] = LETTERS[random.below(LETTERS.length)];
      const next = stateAfter(block, state);
      const other = seen.get(next);
      if (other !== undefined && !other.equals(block)) {
        chain.push([other, block]);
        state = next;
        break;
      }
      seen.set(next, block);
    }
  }
  return chain;
}

/** Makes `count` keys; `together` after `together` of them have one hash. */
export function* chosenKeys(count: number, together = count): Generator<Buffer> {
  const chain = chainFrom(BASIS, Math.ceil(Math.log2(together)));
  let made = 0;
  for (let number = 0; made < count; number++) {
    const prefix = Buffer.from(number === 0 ? '' : `${number}:`);
    if ((stateAfter(prefix, BASIS) & 0xff) !== (BASIS & 0xff)) continue;
    for (let choice = 0; choice < together && made < count; choice++, made++) {
      yield Buffer.concat([prefix, ...chain.map((pair, i) => pair[(choice >>> i) & 1])]);
    }
  }
}
