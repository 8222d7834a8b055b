/**
 * What belongs in this folder: the status page: what a browser runs.
 *
 * Its modules are served as one script, in one page: see `../status-page.ts`. They ask the server for its
 * status every two seconds while the page is seen, and at once when an event comes.
 */
import type { FolderEvent, Status } from '../../common/status.ts';
import { fill, find, make, say } from '../../page/browser/dom.ts';
import { clockText, zoneText } from '../../page/browser/figures.ts';
import { startPolling, summarize } from '../../page/browser/poll.ts';
import { createActs } from './actions.ts';
import { History, serverCounts, setCounts } from './history.ts';
import { type Sample, samplesOf } from './samples.ts';
import { createServerView } from './server-view.ts';
import { SetView } from './set-view.ts';
import { type Finding, findingsOf, type Lack, nameOf, nowMsOf, verdictOf } from './verdict.ts';

const NAME = 'goromdb';
/** After the server has refused a client of events. */
const REFUSED_MS = 30_000;
const ANSWER_MS_MAX = 5_000;
/** Findings that are shown before one asks for more. */
const FINDINGS_MAX = 6;

/** What one poll has found. */
interface News {
  readonly status: Status;
  readonly samples: readonly Sample[];
  readonly lacks: readonly Lack[];
}

const findingList = find('findings', HTMLElement);
const setList = find('sets', HTMLElement);
const views = new Map<string, { readonly view: SetView; readonly history: History }>();
const history = new History();
const server = createServerView();
const acts = createActs(() => pollNow());
const fresh = new URLSearchParams(location.search).get('fresh');
let feed: EventSource | undefined;
let version: string | undefined;

async function ask(path: string): Promise<Response> {
  return fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS_MAX) });
}

async function news(): Promise<News> {
  const [status, metrics, lacks] = await Promise.all([ask('api/status'), ask('metrics'), tooOld()]);
  if (!status.ok || !metrics.ok)
    throw new Error(`the server answers ${Math.max(status.status, metrics.status)}`);
  return { status: await status.json(), samples: samplesOf(await metrics.text()), lacks };
}

/** What is older than the page's own address allows: `?fresh=26h`. */
async function tooOld(): Promise<readonly Lack[]> {
  if (fresh === null) return [];
  const readiness = await ask(`readyz?fresh=${encodeURIComponent(fresh)}`);
  const { lacks, message }: { lacks?: Lack[]; message?: string } = await readiness.json();
  if (lacks === undefined) throw new Error(message);
  return lacks;
}

/** Another build has a page of its own, and may have another status. */
function reloadIfReplaced({ server: { version: now } }: Status): void {
  version ??= now;
  if (version !== now) location.reload();
}

function show({ status, samples, lacks }: News): void {
  reloadIfReplaced(status);
  const nowMs = nowMsOf(status.server);
  const findings = findingsOf(status, lacks, samples);
  summarize(verdictOf(status, findings), NAME, status.server.address);
  say(find('address', HTMLElement), status.server.address);
  say(find('updated', HTMLElement), `Server's clock ${clockText(nowMs)} ${zoneText(nowMs)}`);
  showFindings(status, findings);
  history.add(serverCounts(status.server, samples, nowMs));
  server.update(status, samples, history.points);
  showSets(status, findings);
}

function showFindings({ dataSets }: Status, findings: readonly Finding[]): void {
  const few = findings.slice(0, FINDINGS_MAX);
  fill(findingList, JSON.stringify(findings), () => [
    ...few.map((finding) => {
      const set = dataSets.find(({ prefix }) => prefix === finding.dataSet);
      if (set === undefined || dataSets.length === 1)
        return make('li', { class: finding.level }, finding.text);
      const link = make('button', { type: 'button', class: 'link' }, nameOf(set));
      link.addEventListener('click', () => reveal(set.prefix));
      return make('li', { class: finding.level }, link, `: ${finding.text}`);
    }),
    ...(findings.length > few.length
      ? [make('li', { class: 'more' }, `and ${findings.length - few.length} more, below`)]
      : []),
  ]);
  findingList.hidden = findings.length === 0;
}

/** Opens a data set, and leads there. */
function reveal(prefix: string): void {
  const element = views.get(prefix)?.view.element;
  if (element === undefined) return;
  element.open = true;
  element.querySelector('summary')?.focus();
  element.scrollIntoView({ block: 'start' });
}

function showSets({ server, dataSets }: Status, all: readonly Finding[]): void {
  const nowMs = nowMsOf(server);
  for (const set of dataSets) {
    let one = views.get(set.prefix);
    if (one === undefined) {
      one = { view: new SetView(acts), history: new History() };
      one.view.element.open = dataSets.length === 1;
      views.set(set.prefix, one);
      setList.append(one.view.element);
    }
    one.history.add(setCounts(set, nowMs));
    const findings = all.filter(({ dataSet }) => dataSet === set.prefix);
    one.view.update({ set, findings, points: one.history.points, nowMs });
  }
  const prefixes = new Set(dataSets.map(({ prefix }) => prefix));
  for (const [prefix, { view }] of views) {
    if (prefixes.has(prefix)) continue;
    view.element.remove();
    views.delete(prefix);
  }
  say(
    find('sets-title', HTMLElement),
    dataSets.length === 1 ? 'Data set' : `${dataSets.length} data sets`,
  );
}

/** Listens to events while the page is seen; without them, polls show the same a little later. */
function listen(): void {
  feed?.close();
  feed = undefined;
  if (document.hidden) return;
  feed = new EventSource('api/events');
  feed.addEventListener('folder', ({ data }: MessageEvent<string>) => {
    const { dataSet, ...event }: FolderEvent & { dataSet: string } = JSON.parse(data);
    views.get(dataSet)?.view.note(event);
    pollNow();
  });
  // A lost connection is opened again by the browser, a refused one is not: there are too many clients.
  feed.addEventListener('error', () => {
    if (feed?.readyState === EventSource.CLOSED) setTimeout(listen, REFUSED_MS);
  });
}

document.addEventListener('visibilitychange', listen);
listen();
const pollNow = startPolling({ what: 'server', name: NAME, ask: news, show });
