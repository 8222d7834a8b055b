/** The parts of the page about nodes and about members. */
import { createChart, type Dot } from '../../../page/browser/chart.ts';
import { fill, make, mark, say } from '../../../page/browser/dom.ts';
import {
  ageText,
  bytesText,
  countText,
  latencyText,
  shareText,
  shortText,
} from '../../../page/browser/figures.ts';
import type { MemberView, NodeView } from '../../overview.ts';
import { RateHistory, type Rates } from './rates.ts';
import { nodeName, quotaShare } from './verdict.ts';

const UNKNOWN = '–';

/** A node, with a chart of what it is asked. */
export class NodeCard {
  readonly element = make('li');
  readonly history = new RateHistory();
  readonly #name = make('h3');
  readonly #state = make('span', { class: 'state' });
  readonly #about = make('p', { class: 'note' });
  readonly #fault = make('p', { class: 'fault' });
  readonly #rates = make('dl', { class: 'rates' });
  readonly #chart = createChart(2);

  constructor() {
    const top = make('div', { class: 'top' }, this.#name, this.#state);
    this.element.append(top, this.#about, this.#fault, this.#chart.element, this.#rates);
  }

  update(node: NodeView, isSelf: boolean, atMs: number): void {
    this.history.add(atMs, node.figures);
    const { figures, why, host, pid, version, startedAt } = node;
    const isSilent = figures === undefined;
    mark(this.element, 'data-level', isSilent ? 'bad' : 'ok');
    say(this.#name, nodeName(node));
    say(this.#state, isSilent ? '✕ does not answer' : isSelf ? '✓ this node' : '✓ answers');
    const age = ageText((atMs - Date.parse(startedAt)) / 1000);
    say(this.#about, `${host}, pid ${pid}, version ${version}, up for ${age}`);
    say(this.#fault, why ?? '');
    const last = this.history.last;
    const { points } = this.history;
    const dots = (of: (rates: Rates) => number | undefined): readonly Dot[] =>
      points.map((one): Dot => [one.atMs, of(one)]);
    const label = `Reads a second: ${textOf(last?.gets)}, creates a second: ${textOf(last?.creates)}`;
    this.#chart.draw([dots((one) => one.gets), dots((one) => one.creates)], atMs, label, [0, 1]);
    const rows = [
      ...[['Reads /s', textOf(last?.gets)] as const, ['Hits /s', textOf(last?.hits)] as const],
      ...[['Creates /s', textOf(last?.creates)] as const],
      ...[['Conflicts /s', textOf(last?.conflicts)] as const],
      ...[['Unknown /s', textOf(last?.unknown)] as const],
      ['Cache', figures === undefined ? UNKNOWN : bytesText(figures.cachedBytes)] as const,
    ];
    showRows(this.#rates, rows);
  }
}

/** A member of etcd, with its size against its quota. */
export class MemberCard {
  readonly element = make('li');
  readonly #name = make('h3');
  readonly #state = make('span', { class: 'state' });
  readonly #about = make('p', { class: 'note' });
  readonly #fault = make('p', { class: 'fault' });
  readonly #bar = make('span');
  readonly #size = make('p', { class: 'note' });
  readonly #rows = make('dl', { class: 'rates' });

  constructor() {
    const top = make('div', { class: 'top' }, this.#name, this.#state);
    const bar = make('div', { class: 'bar', 'aria-hidden': 'true' }, this.#bar);
    this.element.append(top, this.#about, this.#fault, this.#rows, bar, this.#size);
  }

  update(member: MemberView): void {
    const { name, url, state, term, version, latencySeconds, faults, usedBytes } = member;
    const [word, level] = STATES[state];
    mark(this.element, 'data-level', faults.length > 0 && level === 'ok' ? 'warn' : level);
    say(this.#name, name || 'unknown member');
    say(this.#state, word);
    say(this.#about, version === undefined ? url : `${url}, version ${version}`);
    say(this.#fault, faults.join('; '));
    showRows(this.#rows, [
      ['Term', term === undefined ? UNKNOWN : countText(term)],
      ['Latency', latencySeconds === undefined ? UNKNOWN : latencyText(latencySeconds)],
      ['In use', usedBytes === undefined ? UNKNOWN : bytesText(usedBytes)],
    ]);
    const share = quotaShare(member);
    this.#bar.style.width = `${Math.min(100, 100 * (share ?? 0))}%`;
    say(this.#size, sizeText(member, share));
  }
}

const STATES: Readonly<
  Record<MemberView['state'], readonly [word: string, level: 'ok' | 'warn' | 'bad']>
> = {
  leader: ['✓ leader', 'ok'],
  follower: ['✓ follower', 'ok'],
  lost: ['✕ knows no leader', 'bad'],
  silent: ['✕ does not answer', 'bad'],
  unasked: ['– not among -etcd', 'warn'],
};

function sizeText({ databaseBytes, quotaBytes }: MemberView, share: number | undefined): string {
  if (databaseBytes === undefined) return 'Size not known';
  if (quotaBytes === undefined || share === undefined) return bytesText(databaseBytes);
  return `${bytesText(databaseBytes)}, ${shareText(share)} of a quota of ${bytesText(quotaBytes)}`;
}

function textOf(rate: number | undefined): string {
  return rate === undefined ? UNKNOWN : shortText(rate);
}

function showRows(list: Element, rows: readonly (readonly [string, string])[]): void {
  fill(list, JSON.stringify(rows), () =>
    rows.map(([title, value]) => make('div', {}, make('dt', {}, title), make('dd', {}, value))),
  );
}
