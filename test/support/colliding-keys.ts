/**
 * Keys whose hash is the same under every seed.
 *
 * FNV-1a's step is h' = (h ^ b) × p mod 2^32, p = 0x01000193. A byte touches only the low byte of
 * h, so under a run of zero bytes the low byte goes round in at most 64 steps. Flipping the top bit
 * of one byte and of the next puts the low byte back and adds to the rest of h an amount that
 * depends on the low byte alone, is a multiple of 2^8, and grows by p per step until the end. Two
 * such flips that are 64 steps apart add the same amount, times q = p^64 = 1 mod 2^8.
 *
 * So flips at places I (in units of 64 bytes) have the same effect as flips at places J when
 * Σ q^i = Σ q^j mod 2^24, which holds when the sums of the numbers and of their squares agree:
 * 0 + 4 + 5 = 1 + 2 + 6 and 0 + 16 + 25 = 1 + 4 + 36 (Prouhet, Tarry and Escott's problem).
 * A chain of n such choices makes 2^n keys that collide under every seed.
 */
const ROUND_BYTES = 64;
const PLACES = [
  [0, 4, 5],
  [1, 2, 6],
] as const;
const CHOICE_BYTES = 6 * ROUND_BYTES + 2;

/** Makes `count` keys of equal length, and equal hash under any seed. */
export function* collidingKeys(count: number): Generator<Buffer> {
  const choices = Math.ceil(Math.log2(count));
  for (let number = 0; number < count; number++) {
    const key = Buffer.alloc(choices * CHOICE_BYTES);
    for (let choice = 0; choice < choices; choice++) {
      for (const place of PLACES[(number >>> choice) & 1]) {
        const at = choice * CHOICE_BYTES + place * ROUND_BYTES;
        key[at] = 0x80;
        key[at + 1] = 0x80;
      }
    }
    yield key;
  }
}
