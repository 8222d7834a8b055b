/** The generations of a data set, and what happened to it. */
import type { EventKind, FolderEvent } from '../../common/status.ts';
import { fill, make } from '../../page/browser/dom.ts';
import { agoText, clockText, latencyText } from '../../page/browser/figures.ts';

/** Events that are kept of a data set while the page is open. */
const EVENTS_MAX = 50;

/** How an event looks: its sign, its title, and its class in the style sheet. */
type Look = readonly [sign: string, title: string, tone: 'good' | 'bad' | 'turn' | 'plain'];

const LOOKS: Readonly<Partial<Record<EventKind, Look>>> = {
  serving: ['●', 'Serves', 'good'],
  'loaded again': ['●', 'Loaded again', 'good'],
  rejected: ['✕', 'Rejected', 'bad'],
  failed: ['!', 'Load failed', 'bad'],
  'rolled back': ['↩', 'Rolled back', 'turn'],
  'slot not used': ['!', 'Slot not used', 'bad'],
  'nothing to serve': ['✕', 'Nothing to serve', 'bad'],
  damaged: ['!', 'Damaged', 'bad'],
  started: ['▸', 'Server started', 'plain'],
  closed: ['▪', 'Server closed', 'plain'],
};

const PUBLISHED = /^generation (\d+) serves from slot \S+: (.*)$/s;
const STAGE = '[a-z]+ [\\d.]+ s';
const STAGES = new RegExp(`; ${STAGE}(?:, ${STAGE})*$`);
const STAGE_SECONDS = /[;,] [a-z]+ ([\d.]+) s(?=,|$)/g;
const MD5 = /\b(md5 [\da-f]{8})[\da-f]{24}\b/;

/** The time in which one generation served. */
interface Span {
  readonly generation: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly isLive: boolean;
}

/** Both lists of events as one, without those that are in both. */
export function joined(
  known: readonly FolderEvent[],
  more: readonly FolderEvent[],
): readonly FolderEvent[] {
  const all = new Map([...known, ...more].map((one) => [`${one.at} ${one.kind} ${one.text}`, one]));
  return [...all.values()].sort((a, b) => (a.at < b.at ? -1 : 1)).slice(-EVENTS_MAX);
}

/** Which generation served when, as far as events show. */
function spansOf(events: readonly FolderEvent[], nowMs: number): readonly Span[] {
  const starts = events.flatMap(({ at, kind, text }) => {
    const [, generation] = (kind === 'serving' && /^generation (\d+) /.exec(text)) || [];
    return generation === undefined ? [] : [{ generation, fromMs: Date.parse(at) }];
  });
  return starts.map(({ generation, fromMs }, i) => {
    const isLive = i === starts.length - 1;
    return { generation, fromMs, toMs: isLive ? nowMs : starts[i + 1].fromMs, isLive };
  });
}

export interface Timeline {
  readonly element: HTMLElement;
  update(events: readonly FolderEvent[], nowMs: number): void;
}

export function createTimeline(): Timeline {
  // The list says the same in words.
  const strip = make('div', { class: 'strip', 'aria-hidden': 'true' });
  const list = make('ol', { class: 'events' });
  return {
    element: make('div', { class: 'timeline' }, strip, list),
    update: (events, nowMs) => {
      // Ages are written anew when they change.
      const tick = Math.floor(nowMs / (isRecent(events, nowMs) ? 1000 : 60_000));
      const key = `${events.length} ${events.at(-1)?.at} ${tick}`;
      fill(strip, key, () => stripOf(events, nowMs));
      strip.hidden = events.length < 2;
      fill(list, key, () =>
        events.length === 0
          ? [make('li', { class: 'none' }, 'Nothing has happened yet.')]
          : [...events].reverse().map((event) => itemOf(event, nowMs)),
      );
    },
  };
}

/** Whether ages are shown in seconds. */
function isRecent(events: readonly FolderEvent[], nowMs: number): boolean {
  return nowMs - Date.parse(events.at(-1)?.at ?? '') < 60_000;
}

function stripOf(events: readonly FolderEvent[], nowMs: number): readonly Node[] {
  const fromMs = Math.min(...events.map(({ at }) => Date.parse(at)).filter(Number.isFinite));
  const place = (ms: number): number => (100 * (ms - fromMs)) / Math.max(1, nowMs - fromMs);
  const bands = spansOf(events, nowMs).map(({ generation, fromMs: from, toMs, isLive }) => {
    const width = place(toMs) - place(from);
    const label = width < 6 ? '' : generation;
    const band = make('span', { class: isLive ? 'band live' : 'band' }, label);
    band.style.left = `${place(from)}%`;
    band.style.right = `${100 - place(toMs)}%`;
    return band;
  });
  const ticks = events.flatMap(({ at, kind }) => {
    const [sign, , tone] = lookOf(kind);
    if (tone === 'good' || tone === 'plain') return [];
    const tick = make('span', { class: `tick ${tone}` }, sign);
    tick.style.left = `${place(Date.parse(at))}%`;
    return [tick];
  });
  const from = make('span', { class: 'from' }, agoText(fromMs, nowMs));
  return [...bands, ...ticks, from, make('span', { class: 'to' }, 'now')];
}

function itemOf({ at, kind, text }: FolderEvent, nowMs: number): HTMLElement {
  const [sign, title, tone] = lookOf(kind);
  const atMs = Date.parse(at);
  const [head, rest] = wordsOf(kind, title, text);
  const age = Number.isFinite(atMs) ? agoText(atMs, nowMs) : at;
  return make(
    'li',
    { class: tone },
    make('span', { class: 'sign', 'aria-hidden': 'true' }, sign),
    make('span', { class: 'what' }, head),
    make('time', { datetime: at, title: clockText(atMs) }, age),
    make('span', { class: 'text' }, rest),
  );
}

function lookOf(kind: EventKind): Look {
  // A kind that this page does not know yet is shown as it is.
  return LOOKS[kind] ?? ['–', kind.charAt(0).toUpperCase() + kind.slice(1), 'plain'];
}

/** Title and text of an event. What is not as expected is shown as it is. */
function wordsOf(kind: EventKind, title: string, text: string): readonly [string, string] {
  const [, generation, rest] = (kind === 'serving' && PUBLISHED.exec(text)) || [];
  if (generation !== undefined) return [`Generation ${generation} serves`, briefly(rest)];
  // "Rejected: rejected …" says it twice.
  const said = `${title.toLowerCase()} `;
  return [title, text.startsWith(said) ? text.slice(said.length) : text];
}

/** Of what a load says, what distinguishes one from another: the log has all of it. */
function briefly(text: string): string {
  const seconds = Array.from(text.matchAll(STAGE_SECONDS), ([, one]) => Number(one));
  const total = seconds.reduce((sum, one) => sum + one, 0);
  const stages = seconds.length === 0 ? '' : `; loaded in ${latencyText(total)}`;
  return text.replace(STAGES, stages).replace(MD5, '$1…');
}
