/**
 * Small charts of the last minutes, drawn as SVG. They are some sixty lines, follow the colours of the page,
 * and cost nothing while they are not seen; a chart library (uPlot: 45 kB) would make the page twice as large.
 */
import { draw, mark } from './dom.ts';
import { spanMsOf } from './span.ts';

const WIDTH = 300;
const HEIGHT = 64;
/** A line is not drawn over a longer time without a poll. */
const GAP_MS = 15_000;

/** A value at a moment; undefined: there was none. */
export type Dot = readonly [atMs: number, value: number | undefined];

export interface Chart {
  readonly element: SVGSVGElement;
  /**
   * @param lines The first has its area filled.
   * @param label What it shows, for who does not see it.
   * @param scale Where it begins, and what its top is no lower than.
   */
  draw(
    lines: readonly (readonly Dot[])[],
    nowMs: number,
    label: string,
    scale: readonly [number, number],
  ): void;
}

export function createChart(lineCount: number): Chart {
  const area = draw('path', { class: 'area' });
  const paths = Array.from({ length: lineCount }, (_, i) => draw('path', { class: `line l${i}` }));
  const element = draw(
    'svg',
    {
      ...{ class: 'chart', role: 'img', preserveAspectRatio: 'none' },
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    },
    ...[area, ...paths],
  );
  return {
    element,
    draw: (lines, nowMs, label, [bottom, least]) => {
      const values = lines.flatMap((dots) => dots.map(([, value]) => value ?? 0));
      const top = Math.max(least, ...values);
      mark(element, 'aria-label', label);
      const runs = lines.map((dots) => runsOf(dots, nowMs, [bottom, top]));
      for (const [i, path] of paths.entries())
        mark(path, 'd', (runs[i] ?? []).map(lineOf).join(''));
      mark(area, 'd', (runs[0] ?? []).map(areaOf).join(''));
    },
  };
}

type Run = readonly (readonly [x: number, y: number])[];

/** Places dots, in runs without a gap. */
function runsOf(
  dots: readonly Dot[],
  nowMs: number,
  [bottom, top]: readonly [number, number],
): readonly Run[] {
  const spanMs = spanMsOf(dots[0]?.[0] ?? nowMs, nowMs);
  const runs: [number, number][][] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const [atMs, value] of dots) {
    if (value === undefined) continue;
    if (atMs - last > GAP_MS) runs.push([]);
    last = atMs;
    const x = WIDTH * (1 - (nowMs - atMs) / spanMs);
    // Half of the line's width is left, so that it is not cut off.
    const y = HEIGHT - 1 - (HEIGHT - 3) * ((value - bottom) / (top - bottom));
    runs.at(-1)?.push([Math.round(x * 10) / 10, Math.round(y * 10) / 10]);
  }
  return runs;
}

function lineOf(run: Run): string {
  // One dot alone is a short line.
  const [[x, y]] = run;
  return `M${x - 1},${y}L${run.map((at) => at.join(',')).join(' ')}`;
}

function areaOf(run: Run): string {
  const [[first]] = run;
  const [last] = run[run.length - 1];
  return `${lineOf(run)}L${last},${HEIGHT} ${first - 1},${HEIGHT}Z`;
}
