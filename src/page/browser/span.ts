/** How far charts look back. */

const WINDOW_MS = 5 * 60_000;
/** At the least. */
const SPAN_MS_MIN = 60_000;
/** More than polls come in that time. */
const POINTS_MAX = 400;

/** How far a chart looks back whose first value is from then: it grows while the page is new. */
export function spanMsOf(firstMs: number, nowMs: number): number {
  return Math.min(WINDOW_MS, Math.max(SPAN_MS_MIN, nowMs - firstMs));
}

/** The points that charts may yet show. */
export function kept<P extends { readonly atMs: number }>(points: readonly P[]): readonly P[] {
  const fromMs = (points.at(-1)?.atMs ?? 0) - WINDOW_MS;
  return points.filter(({ atMs }) => atMs >= fromMs).slice(-POINTS_MAX);
}
