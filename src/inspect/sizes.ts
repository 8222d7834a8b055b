/** How many things have which size. */

/** Sizes from 2^i up to 2^(i+1) - 1 are counted together. */
export interface SizeCount {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Counts sizes from 0 to 2^31 - 1 by powers of two. */
export class Sizes {
  bytes = 0;
  longest = 0;
  /** At i: how many are below 2^i and not below half of it. */
  readonly #counts = new Float64Array(32);

  add(size: number): void {
    this.#counts[32 - Math.clz32(size)]++;
    this.bytes += size;
    if (size > this.longest) this.longest = size;
  }

  /** Without those that nothing has. */
  get counts(): readonly SizeCount[] {
    return [...this.#counts]
      .map((count, i) => ({ from: i === 0 ? 0 : 2 ** (i - 1), to: 2 ** i - 1, count }))
      .filter(({ count }) => count > 0);
  }
}
