/**
 * What belongs in this folder: the admin page of `goromdb once`: what a browser runs.
 *
 * Its modules are served as one script, in one page: see src/page. They ask the node for its overview every
 * two seconds while the page is seen.
 */
import { fill, find, make, say } from '../../../page/browser/dom.ts';
import {
  ageText,
  clockText,
  countOf,
  shareText,
  shortText,
  zoneText,
} from '../../../page/browser/figures.ts';
import { startPolling, summarize } from '../../../page/browser/poll.ts';
import { kept, spanMsOf } from '../../../page/browser/span.ts';
import { createTile, type Shown } from '../../../page/browser/tile.ts';
import type { Overview } from '../../overview.ts';
import { MemberCard, NodeCard } from './cards.ts';
import { createForms } from './forms.ts';
import { type Rates, sumOfRates } from './rates.ts';
import { findingsOf, nodeName, verdictOf } from './verdict.ts';

const NAME = 'goromdb once';
const ANSWER_MS_MAX = 10_000;

const SHOWN: readonly Shown<Rates>[] = [
  { title: 'Creates a second', lines: [({ creates }) => creates], text: shortText, least: 1 },
  { title: 'Conflicts a second', lines: [({ conflicts }) => conflicts], text: shortText, least: 1 },
  {
    ...{ title: 'Unknown a second', text: shortText, least: 1 },
    lines: [({ unknown }) => unknown],
  },
  { title: 'Reads a second', lines: [({ gets }) => gets], text: shortText, least: 1 },
  { title: 'Found in the cache', lines: [({ hitRate }) => hitRate], text: shareText, least: 1 },
];

const tiles = SHOWN.map((shown) => createTile(shown, 'h3'));
const nodeCards = new Map<string, NodeCard>();
const memberCards = new Map<string, MemberCard>();
const forms = createForms(() => pollNow());
let totals: readonly Rates[] = [];

find('charts', HTMLElement).append(...tiles.map(({ element }) => element));

async function ask(): Promise<Overview> {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const response = await fetch('api/overview', { cache: 'no-store', signal });
  if (!response.ok) throw new Error(`the node answers ${response.status}`);
  return response.json();
}

function show(overview: Overview): void {
  const { atMs, keys, self, nodes } = overview;
  const findings = findingsOf(overview);
  const own = nodes.find(({ id }) => id === self);
  const place = own === undefined ? '' : nodeName(own);
  summarize(verdictOf(overview, findings), NAME, place);
  say(find('place', HTMLElement), place);
  say(find('updated', HTMLElement), `Node's clock ${clockText(atMs)} ${zoneText(atMs)}`);
  say(find('key-count', HTMLElement), keys === undefined ? '' : countOf(keys, 'key'));
  const list = find('findings', HTMLElement);
  fill(list, JSON.stringify(findings), () =>
    findings.map((finding) => make('li', { class: finding.level }, finding.text)),
  );
  list.hidden = findings.length === 0;
  forms.needToken(overview.needsToken);
  showNodes(overview);
  showMembers(overview);
  showTotals(atMs);
}

function showNodes({ nodes, self, atMs }: Overview): void {
  const sorted = [...nodes].sort((a, b) =>
    nodeName(a).localeCompare(nodeName(b), 'en', { numeric: true }),
  );
  keep(
    find('nodes', HTMLElement),
    nodeCards,
    sorted.map(({ id }) => id),
    () => new NodeCard(),
  );
  for (const node of nodes) nodeCards.get(node.id)?.update(node, node.id === self, atMs);
  say(find('nodes-title', HTMLElement), countOf(nodes.length, 'node', 'nodes'));
}

function showMembers({ members }: Overview): void {
  const names = members.map(({ name, url }) => name || url);
  keep(find('members', HTMLElement), memberCards, names, () => new MemberCard());
  for (const [i, member] of members.entries()) memberCards.get(names[i])?.update(member);
}

/** Has a list show one card for each name, in their order. */
function keep<T extends { readonly element: HTMLElement }>(
  list: HTMLElement,
  cards: Map<string, T>,
  names: readonly string[],
  create: () => T,
): void {
  for (const [name, card] of cards) {
    if (names.includes(name)) continue;
    card.element.remove();
    cards.delete(name);
  }
  for (const [i, name] of names.entries()) {
    const card = cards.get(name) ?? create();
    cards.set(name, card);
    if (list.children[i] !== card.element)
      list.insertBefore(card.element, list.children[i] ?? null);
  }
}

function showTotals(atMs: number): void {
  const rates = [...nodeCards.values()].map(({ history }) => history.last);
  if (rates.some((one) => one?.atMs === atMs)) totals = kept([...totals, sumOfRates(atMs, rates)]);
  const spanMs = spanMsOf(totals[0]?.atMs ?? atMs, atMs);
  say(find('span', HTMLElement), `charts of the last ${ageText(spanMs / 1000)}`);
  for (const tile of tiles) tile.update(totals, atMs);
}

const pollNow = startPolling({ what: 'node', name: NAME, ask, show });
