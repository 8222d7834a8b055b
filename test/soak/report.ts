import type { Sample } from './server.ts';

/** What memory may grow by, of what it was: collectors take their time. */
const GROWTH_MAX = 1.25;
/** And what it may grow by in any case. */
const GROWTH_BYTES = 48 * 1024 * 1024;
/** Descriptors and threads come and go with connections and loads. */
const GROWTH_COUNT = 8;

/** Samples that a verdict takes. */
const SAMPLES_MIN = 12;

/** A process that is younger still fills its heaps and pools: its memory says nothing. */
const WARM_UP_MS = 60_000;

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
}

/** How memory, descriptors and threads of one process went, from its first third to its last. */
export interface Course {
  readonly lines: readonly string[];
  readonly isFlat: boolean;
}

export function courseOf(samples: readonly Sample[]): Course {
  if (samples.length < SAMPLES_MIN) {
    return { lines: [`too short to judge: ${samples.length} samples`], isFlat: true };
  }
  const warm = samples.filter(({ ageMs }) => ageMs > WARM_UP_MS);
  const kinds = [
    ['resident MiB', (s: Sample) => s.residentBytes / 2 ** 20, GROWTH_BYTES / 2 ** 20, warm],
    ['descriptors', (s: Sample) => s.descriptors, GROWTH_COUNT, samples],
    ['threads', (s: Sample) => s.threads, GROWTH_COUNT, samples],
  ] as const;
  let isFlat = true;
  const lines = kinds.map(([name, of, slack, judged]) => {
    if (judged.length < SAMPLES_MIN) return `${name}: the process is too young to judge`;
    const third = Math.floor(judged.length / 3);
    const [first, last] = [judged.slice(0, third), judged.slice(-third)];
    const [before, after] = [median(first.map(of)), median(last.map(of))];
    const most = Math.max(...judged.map(of));
    const grows = after > before * GROWTH_MAX && after > before + slack;
    if (grows) isFlat = false;
    const verdict = grows ? 'GROWS' : 'flat';
    return `${name}: ${before.toFixed(0)} in the first third, ${after.toFixed(0)} in the last, ${most.toFixed(0)} at most: ${verdict}`;
  });
  return { lines, isFlat };
}
