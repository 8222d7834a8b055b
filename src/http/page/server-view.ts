/** The part of the page about the whole server: what it does now, and what it uses. */
import type { Status } from '../../common/status.ts';
import { type Chart, createChart, type Dot } from './chart.ts';
import { find, make, say } from './dom.ts';
import {
  ageText,
  bytesText,
  countOf,
  countText,
  latencyText,
  shareText,
  shortText,
} from './figures.ts';
import type { Point } from './history.ts';
import { named, type Sample, sumOf } from './samples.ts';
import { diskBytesOf, nowMsOf } from './verdict.ts';

/** Shown in place of a number that there is none of. */
const NONE = '–';

/** One of the live charts: what it shows of a point, and how that is written. */
interface Tile {
  readonly title: string;
  readonly lines: readonly ((point: Point) => number | undefined)[];
  readonly text: (value: number) => string;
  /** The top of the scale is no lower than this. */
  readonly least: number;
  /** Where the scale begins. Default: at 0. */
  readonly from?: (lowest: number) => number;
  /** Shown only when there is something to show. */
  readonly isRare?: boolean;
}

const TILES: readonly Tile[] = [
  { title: 'Lookups a second', lines: [({ gets }) => gets], text: shortText, least: 1 },
  {
    title: 'Hit rate',
    lines: [({ hitRate }) => hitRate],
    ...{ text: shareText, least: 1 },
    // Most are close to 100 %, where a small change matters.
    from: (lowest) => Math.max(0, Math.floor(lowest * 10 - 1e-9) / 10),
  },
  {
    title: 'Latency: 99th percentile, median',
    lines: [({ p99 }) => p99, ({ p50 }) => p50],
    ...{ text: latencyText, least: 1e-5, isRare: true },
  },
  { title: 'Sent a second', lines: [({ sentBytes }) => sentBytes], text: bytesText, least: 1000 },
  { title: 'Processors in use', lines: [({ cpu }) => cpu], text: shortText, least: 1 },
];

/** What the page shows of the server. */
export interface ServerView {
  update(status: Status, samples: readonly Sample[], points: readonly Point[]): void;
}

export function createServerView(): ServerView {
  const tiles = TILES.map(createTile);
  find('charts', HTMLElement).append(...tiles.map(({ element }) => element));
  const facts = find('facts', HTMLElement);
  const rows = new Map<string, { readonly value: Element; readonly note: Element }>();
  const row = (title: string, value: string, note: string): void => {
    let cells = rows.get(title);
    if (cells === undefined) {
      cells = { value: make('span', { class: 'value' }), note: make('span', { class: 'note' }) };
      rows.set(title, cells);
      const body = make('dd', {}, cells.value, cells.note);
      facts.append(make('div', {}, make('dt', {}, title), body));
    }
    say(cells.value, value);
    say(cells.note, note);
  };
  return {
    update: (status, samples, points) => {
      const nowMs = nowMsOf(status.server);
      for (const tile of tiles) tile.update(points, nowMs);
      for (const [title, value, note] of serverFacts(status, samples)) row(title, value, note);
    },
  };
}

function createTile(tile: Tile): {
  readonly element: HTMLElement;
  readonly update: (points: readonly Point[], nowMs: number) => void;
} {
  const chart: Chart = createChart(tile.lines.length);
  const value = make('p', { class: 'value' }, NONE);
  const note = make('p', { class: 'note' });
  const title = make('h3', {}, tile.title);
  const element = make('article', { class: 'tile' }, title, value, chart.element, note);
  element.hidden = tile.isRare === true;
  return {
    element,
    update: (points, nowMs) => {
      const lines = tile.lines.map((of) => points.map((one): Dot => [one.atMs, of(one)]));
      const all = lines[0].flatMap(([, y]) => y ?? []);
      if (tile.isRare && all.length > 0) element.hidden = false;
      const latest = lines.map((dots) => dots.at(-1)?.[1]);
      const now = latest.map((y) => (y === undefined ? NONE : tile.text(y))).join(' · ');
      const range = all.length === 0 ? '' : rangeText(tile, all);
      say(value, now);
      const bottom = all.length === 0 ? 0 : (tile.from?.(Math.min(...all)) ?? 0);
      const scale = bottom === 0 ? ' in 5 min' : `, scale from ${Math.round(bottom * 100)} %`;
      say(note, range === '' ? waitText(points) : range + scale);
      const label = `${tile.title}: ${now} now${range && `, ${range} in 5 minutes`}`;
      chart.draw(lines, nowMs, label, [bottom, tile.least]);
    },
  };
}

function rangeText({ text }: Tile, values: readonly number[]): string {
  return `${text(Math.min(...values))} to ${text(Math.max(...values))}`;
}

function waitText(points: readonly Point[]): string {
  return points.length === 0 ? 'Measures …' : 'No key was asked for in 5 min';
}

function serverFacts(
  { server, dataSets }: Status,
  samples: readonly Sample[],
): readonly (readonly [title: string, value: string, note: string])[] {
  const { connections, connectionsMax, threads, residentBytes } = server;
  const restarts = threads.reduce((sum, one) => sum + one.restarts, 0);
  const ofThreads = threads.map((one) => countText(one.connections)).join(' · ');
  const disk = dataSets.reduce((sum, set) => sum + diskBytesOf(set), 0);
  const free = sumOf(named(samples, 'goromdb_disk_free_bytes'));
  const delay = sumOf(named(samples, 'goromdb_event_loop_delay_max_seconds'));
  return [
    [
      'Connections',
      countText(connections),
      `of ${countText(connectionsMax)}${threads.length > 1 ? `; by thread ${ofThreads}` : ''}`,
    ],
    [
      'Serving threads',
      countText(threads.length),
      restarts === 0 ? 'none was replaced' : `${countOf(restarts, 'replacement')}`,
    ],
    ['Memory', bytesText(residentBytes), 'with the pages of tables in use'],
    [
      'Disk',
      bytesText(disk),
      free === undefined ? 'for dropped files and tables' : `${bytesText(free)} free`,
    ],
    [
      'Up for',
      ageText(server.uptimeSeconds),
      delay === undefined
        ? `pid ${server.pid}`
        : `main thread delayed by ${latencyText(delay)} at most`,
    ],
    ['Version', server.version, `Node ${server.node}, pid ${server.pid}`],
  ];
}
