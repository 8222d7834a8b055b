/** A number with a live chart. */
import { type Chart, createChart, type Dot } from './chart.ts';
import { make, say } from './dom.ts';

/** Shown in place of a number that there is none of. */
const NONE = '–';

/** What was measured up to a moment. */
interface Moment {
  readonly atMs: number;
}

/** What it shows of a point, and how that is written. */
export interface Shown<P> {
  readonly title: string;
  readonly lines: readonly ((point: P) => number | undefined)[];
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

export interface Tile<P> {
  readonly element: HTMLElement;
  update(points: readonly P[], nowMs: number): void;
}

export function createTile<P extends Moment>(shown: Shown<P>, heading: 'h3' | 'h4'): Tile<P> {
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

function rangeText({ text }: Pick<Shown<unknown>, 'text'>, values: readonly number[]): string {
  return `${text(Math.min(...values))} to ${text(Math.max(...values))}`;
}

function waitText(points: readonly unknown[]): string {
  return points.length === 0 ? 'measures …' : 'nothing was asked';
}
