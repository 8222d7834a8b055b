/** The part of the page about one data set. */
import type { DataSetStatus, FolderEvent, LoadStatus } from '../../common/status.ts';
import { type Chart, createChart, type Dot } from '../../page/browser/chart.ts';
import { fill, make, mark, say } from '../../page/browser/dom.ts';
import {
  ageText,
  bytesText,
  countOf,
  countText,
  shareText,
  shortText,
  sinceText,
} from '../../page/browser/figures.ts';
import { createTile } from '../../page/browser/tile.ts';
import type { Point } from './history.ts';
import { createPrefixView, type PrefixView } from './prefixes.ts';
import { HIT_RATE, LATENCY, LOOKUPS } from './shown.ts';
import { createTimeline, joined, type Timeline } from './timeline.ts';
import { ageSecondsOf, type Finding, levelOf, nameOf } from './verdict.ts';

/** What can be done to a data set. */
export interface Acts {
  rollback(set: DataSetStatus, opener: HTMLElement): void;
  rescan(set: DataSetStatus, opener: HTMLElement): void;
}

/** How the data set is now. */
export interface SetNews {
  readonly set: DataSetStatus;
  readonly findings: readonly Finding[];
  readonly points: readonly Point[];
  readonly nowMs: number;
}

/** A swap takes less. */
const RESTART_MS_MIN = 60_000;

const SIGNS = { ok: '✓', warn: '!', bad: '✕' } as const;
const WORDS = { ok: 'serves', warn: 'to look at', bad: 'serves nothing' } as const;

export class SetView {
  readonly element = make('details', { class: 'set' });
  readonly #sign = make('span', { class: 'sign', 'aria-hidden': 'true' });
  readonly #state = make('span', { class: 'state' });
  readonly #name = make('h3');
  readonly #brief = make('span', { class: 'brief' });
  readonly #traffic = make('span', { class: 'traffic' });
  readonly #rate = make('span', { class: 'rate' });
  readonly #chart: Chart = createChart(1);
  readonly #findings = make('ul', { class: 'findings' });
  readonly #loading = make('p', { class: 'loading' });
  readonly #facts = make('dl', { class: 'facts' });
  readonly #rollback = make('button', { type: 'button' }, 'Roll back …');
  readonly #rescan = make('button', { type: 'button' }, 'Rescan …');
  readonly #tiles = [LOOKUPS, HIT_RATE, LATENCY].map((shown) => createTile(shown, 'h4'));
  readonly #prefixes: PrefixView = createPrefixView();
  readonly #timeline: Timeline = createTimeline();
  #events: readonly FolderEvent[] = [];
  #news: SetNews | undefined;

  constructor(acts: Acts) {
    const head = make('span', { class: 'head' }, this.#sign, this.#name);
    this.#traffic.append(this.#rate, this.#chart.element);
    const actions = make('p', { class: 'actions' }, this.#rescan, this.#rollback);
    const tiles = make('div', { class: 'tiles' }, ...this.#tiles.map(({ element }) => element));
    const title = make('h4', {}, 'Live generation');
    const about = make('div', { class: 'about' }, title, this.#facts, tiles);
    about.append(this.#prefixes.element, actions);
    const past = make('div', { class: 'past' }, make('h4', {}, 'What happened'));
    past.append(this.#timeline.element);
    this.element.append(
      make('summary', {}, head, this.#brief, this.#traffic, this.#state),
      this.#findings,
      this.#loading,
      make('div', { class: 'columns' }, about, past),
    );
    this.element.addEventListener('toggle', () => this.#show());
    for (const name of ['rollback', 'rescan'] as const) {
      const button = name === 'rollback' ? this.#rollback : this.#rescan;
      button.addEventListener('click', () => {
        if (this.#news !== undefined) acts[name](this.#news.set, button);
      });
    }
  }

  /** An event that came by itself. */
  note(event: FolderEvent): void {
    this.#events = joined(this.#events, [event]);
  }

  update(news: SetNews): void {
    this.#news = news;
    const { set, findings, points, nowMs } = news;
    this.#events = joined(this.#events, set.events);
    const level = levelOf(findings);
    mark(this.element, 'data-level', level);
    say(this.#sign, SIGNS[level]);
    say(this.#name, nameOf(set));
    say(this.#state, set.loading === undefined ? WORDS[level] : `loads: ${set.loading.stage}`);
    say(this.#brief, briefOf(set, nowMs));
    const rate = points.at(-1);
    say(this.#rate, rateText(rate));
    this.#traffic.hidden = rate?.gets === undefined;
    const dots = points.map((one): Dot => [one.atMs, one.gets]);
    this.#chart.draw([dots], nowMs, `Keys asked for a second: ${rateText(rate)}`, [0, 1]);
    this.#show();
  }

  /** What nobody sees is not made: there may be many data sets. */
  #show(): void {
    if (!this.element.open || this.#news === undefined) return;
    const { set, findings, points, nowMs } = this.#news;
    for (const tile of this.#tiles) tile.update(points, nowMs);
    fill(this.#findings, JSON.stringify(findings), () =>
      findings.map(({ level, text }) => make('li', { class: level }, text)),
    );
    say(this.#loading, set.loading === undefined ? '' : loadText(set.loading, nowMs));
    const rows = setFacts(set, nowMs);
    fill(this.#facts, JSON.stringify(rows), () =>
      rows.map(([title, value]) => make('div', {}, make('dt', {}, title), make('dd', {}, value))),
    );
    this.#prefixes.update(set.prefix);
    this.#rollback.hidden = set.previous === undefined;
    say(this.#rollback, `Roll back to generation ${set.previous?.generation} …`);
    this.#timeline.update(this.#events, nowMs);
  }
}

function briefOf(set: DataSetStatus, nowMs: number): string {
  const { serving } = set;
  if (serving === undefined) return 'no generation';
  const age = ageText(ageSecondsOf(set, nowMs) ?? 0);
  return `generation ${serving.generation} · ${age} old · ${countOf(serving.keys, 'key')}`;
}

function rateText(point: Point | undefined): string {
  if (point?.gets === undefined) return '';
  const hits = point.hitRate === undefined ? '' : ` · ${shareText(point.hitRate)} hits`;
  return `${shortText(point.gets)}/s${hits}`;
}

function loadText({ path, stage, bytes, sinceMs }: LoadStatus, nowMs: number): string {
  const done = bytes === undefined ? '' : `, ${bytesText(bytes)} done`;
  return `Loads ${path}: ${stage}${done}, for ${ageText((nowMs - sinceMs) / 1000)}`;
}

function setFacts(set: DataSetStatus, nowMs: number): readonly (readonly [string, string])[] {
  const { serving, previous, waiting, file } = set;
  const live: (readonly [string, string])[] =
    serving === undefined
      ? [['Serves', 'nothing: every key is a miss']]
      : [
          ['Generation', generationText(serving.generation, serving.restores)],
          ['Installed', sinceText(Date.parse(serving.installedAt), nowMs)],
          // Much later than it was installed: after a restart.
          ...(serving.servedSinceMs - Date.parse(serving.installedAt) > RESTART_MS_MIN
            ? [
                [
                  'This process',
                  `serves it since ${sinceText(serving.servedSinceMs, nowMs)}`,
                ] as const,
              ]
            : []),
          ['Keys', countText(serving.keys)],
          ['File', `${bytesText(serving.bytes)} of ${serving.format}`],
          ['Table', bytesText(serving.tableBytes)],
          ['MD5', serving.md5],
        ];
  const before =
    previous === undefined
      ? 'none'
      : `generation ${previous.generation}, ${countOf(previous.keys, 'key')}, installed ${sinceText(Date.parse(previous.installedAt), nowMs)}`;
  return [
    ...live,
    ['Previous', before],
    ['Waits for', file],
    ...(waiting === undefined ? [] : [['A drop waits', waiting.text] as const]),
    ['Loads', loadsText(set.loads)],
  ];
}

function generationText(generation: number, restores: number | undefined): string {
  const of = restores === undefined ? '' : `, with the data of generation ${restores}`;
  return `${generation}${of}`;
}

/** What became of drops, by why. */
function loadsText(loads: DataSetStatus['loads']): string {
  const parts = loads.flatMap(({ outcome, reason, count }) => {
    if (count === 0) return [];
    return [`${countText(count)} ${outcome}${reason === '' ? '' : ` (${reason})`}`];
  });
  return parts.length === 0 ? 'none since the start' : parts.join(', ');
}
