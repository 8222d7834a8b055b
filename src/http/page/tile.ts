/** A number with a live chart. */
import { type Chart, createChart, type Dot } from './chart.ts';
import { make, say } from './dom.ts';
import { latencyText, shareText, shortText } from './figures.ts';
import type { Point } from './history.ts';

/** Shown in place of a number that there is none of. */
const NONE = '–';

/** What it shows of a point, and how that is written. */
export interface Shown {
  readonly title: string;
  readonly lines: readonly ((point: Point) => number | undefined)[];
  /** What the second line is; it is shown smaller. */
  readonly second?: string;
  readonly text: (value: number) => string;
  /** The top of the scale is no lower than this. */
  readonly least: number;
  /** Where the scale begins. Default: at 0. */
  readonly from?: (lowest: number) => number;
  /** Shown only when there is something to show. */
  readonly isRare?: boolean;
}

/** Keys that clients have looked up. */
export const LOOKUPS: Shown = {
  title: 'Lookups a second',
  lines: [({ gets }) => gets],
  ...{ text: shortText, least: 1 },
};

export const HIT_RATE: Shown = {
  title: 'Hit rate',
  lines: [({ hitRate }) => hitRate],
  ...{ text: shareText, least: 1 },
  // Most are close to 100 %, where a small change matters.
  from: (lowest) => Math.max(0, Math.floor(lowest * 10 - 1e-9) / 10),
};

/** Of what was measured of requests. */
export const LATENCY: Shown = {
  title: 'Latency, p99',
  second: 'median',
  lines: [({ p99 }) => p99, ({ p50 }) => p50],
  ...{ text: latencyText, least: 1e-5, isRare: true },
};

export interface Tile {
  readonly element: HTMLElement;
  update(points: readonly Point[], nowMs: number): void;
}

export function createTile(shown: Shown, heading: 'h3' | 'h4'): Tile {
  const chart: Chart = createChart(shown.lines.length);
  const value = make('p', { class: 'value' }, NONE);
  const note = make('p', { class: 'note' });
  const title = make(heading, {}, shown.title);
  const element = make('article', { class: 'tile' }, title, value, chart.element, note);
  element.hidden = shown.isRare === true;
  return {
    element,
    update: (points, nowMs) => {
      const lines = shown.lines.map((of) => points.map((one): Dot => [one.atMs, of(one)]));
      const all = lines[0].flatMap(([, y]) => y ?? []);
      if (shown.isRare && all.length > 0) element.hidden = false;
      const [now, second] = lines.map((dots) => {
        const y = dots.at(-1)?.[1];
        return y === undefined ? NONE : shown.text(y);
      });
      const range = all.length === 0 ? '' : rangeText(shown, all);
      const bottom = all.length === 0 ? 0 : (shown.from?.(Math.min(...all)) ?? 0);
      const notes = [
        ...(shown.second === undefined ? [] : [`${shown.second} ${second}`]),
        range === '' ? waitText(points) : range,
        ...(bottom === 0 ? [] : [`scale from ${Math.round(bottom * 100)} %`]),
      ];
      say(value, now);
      say(note, notes.join(', '));
      const label = `${shown.title}: ${now} now, ${notes.join(', ')}`;
      chart.draw(lines, nowMs, label, [bottom, shown.least]);
    },
  };
}

function rangeText({ text }: Shown, values: readonly number[]): string {
  return `${text(Math.min(...values))} to ${text(Math.max(...values))}`;
}

function waitText(points: readonly Point[]): string {
  return points.length === 0 ? 'measures …' : 'nothing was asked';
}
