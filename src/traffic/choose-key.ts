/** A source of numbers from 0 to 1 that gives the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Chooses each of `count` keys equally often. */
export function uniformChoice(count: number, random: () => number): () => number {
  return () => Math.floor(random() * count);
}

/**
 * Chooses key of rank r with a probability proportional to 1 / r^0.99, as YCSB does by default.
 * Ranks are spread over the keys, so that the popular ones are not neighbours in memory.
 *
 * The method is rejection from the integral of the density (W. Hörmann and G. Derflinger,
 * "Rejection-inversion to generate variates from monotone discrete distributions", 1996): it needs
 * no table of ranks.
 */
export function zipfChoice(count: number, random: () => number): () => number {
  const exponent = 0.99;
  const integral = (x: number): number => (x ** (1 - exponent) - 1) / (1 - exponent);
  const inverse = (y: number): number => (1 + y * (1 - exponent)) ** (1 / (1 - exponent));
  const low = integral(1.5) - 1;
  const high = integral(count + 0.5);
  const rank = (): number => {
    for (;;) {
      const y = low + random() * (high - low);
      const k = Math.min(Math.max(1, Math.round(inverse(y))), count);
      if (y >= integral(k + 0.5) - k ** -exponent) return k;
    }
  };
  const step = coprimeStep(count);
  return () => Number((BigInt(rank() - 1) * BigInt(step)) % BigInt(count));
}

/** A step with which multiples visit each of `count` places once. */
function coprimeStep(count: number): number {
  let step = Math.floor(count * 0.618) | 1;
  while (gcd(step, count) !== 1) step++;
  return step;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
