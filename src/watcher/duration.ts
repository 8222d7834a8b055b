/** The longest time of a timer in Node; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * A duration from an option, in milliseconds.
 *
 * @throws RangeError when it is not between 1 ms and 2^31 - 1 ms.
 */
export function duration(name: string, value: number | undefined, fallback: number): number {
  const ms = value ?? fallback;
  if (ms >= 1 && ms <= TIMER_MS_MAX) return ms;
  throw new RangeError(`${name} must be between 1 and ${TIMER_MS_MAX} milliseconds, not ${ms}`);
}
