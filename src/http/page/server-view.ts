/** The part of the page about the whole server: what it does now, and what it uses. */
import type { Status } from '../../common/status.ts';
import { find, make, say } from '../../page/browser/dom.ts';
import {
  ageText,
  bytesText,
  countText,
  latencyText,
  shortText,
} from '../../page/browser/figures.ts';
import { spanMsOf } from '../../page/browser/span.ts';
import { createTile, type Shown } from '../../page/browser/tile.ts';
import type { Point } from './history.ts';
import { named, type Sample } from './samples.ts';
import { HIT_RATE, LATENCY, LOOKUPS } from './shown.ts';
import { diskBytesOf, nowMsOf } from './verdict.ts';

const TILES: readonly Shown<Point>[] = [
  LOOKUPS,
  HIT_RATE,
  LATENCY,
  { title: 'Sent a second', lines: [({ sentBytes }) => sentBytes], text: bytesText, least: 1000 },
  { title: 'Processors in use', lines: [({ cpu }) => cpu], text: shortText, least: 1 },
];

/** What the page shows of the server. */
export interface ServerView {
  update(status: Status, samples: readonly Sample[], points: readonly Point[]): void;
}

export function createServerView(): ServerView {
  const tiles = TILES.map((shown) => createTile(shown, 'h3'));
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
      const spanMs = spanMsOf(points[0]?.atMs ?? nowMs, nowMs);
      say(find('span', HTMLElement), `charts of the last ${ageText(spanMs / 1000)}`);
      for (const tile of tiles) tile.update(points, nowMs);
      for (const [title, value, note] of serverFacts(status, samples)) row(title, value, note);
    },
  };
}

function serverFacts(
  { server, dataSets }: Status,
  samples: readonly Sample[],
): readonly (readonly [title: string, value: string, note: string])[] {
  const { connections, connectionsMax, threads, residentBytes } = server;
  const restarts = threads.reduce((sum, one) => sum + one.restarts, 0);
  const ofThreads = threads.map((one) => countText(one.connections)).join(' · ');
  const delay = Math.max(0, ...threads.map(({ loopDelay }) => loopDelay.maxSeconds));
  const disk = dataSets.reduce((sum, set) => sum + diskBytesOf(set), 0);
  const free = named(samples, 'goromdb_data_set_disk_free_bytes').map(({ value }) => value);
  const refused = server.refusedWrites.reduce((sum, { count }) => sum + count, 0);
  return [
    [
      'Connections',
      countText(connections),
      `of ${countText(connectionsMax)}${threads.length > 1 ? `; by thread ${ofThreads}` : ''}`,
    ],
    [
      'Serving threads',
      countText(threads.length),
      `${restarts === 0 ? 'none' : countText(restarts)} replaced; late by ${latencyText(delay)} at most`,
    ],
    ['Memory', bytesText(residentBytes), 'with the pages of tables in use'],
    // Several data sets may lie on one disk: the least is what counts.
    ['Disk', bytesText(disk), free.length === 0 ? '' : `${bytesText(Math.min(...free))} free`],
    ['Refused writes', countText(refused), refused === 0 ? '' : 'the log names who sends them'],
    [
      'Up for',
      ageText(server.uptimeSeconds),
      `version ${server.version}, Node ${server.node}, pid ${server.pid}`,
    ],
  ];
}
