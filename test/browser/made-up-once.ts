/** The admin page of a node, with an overview that is made up. */
import type { Page } from 'playwright-core';
import type { Figures, MemberView, NodeView, Overview } from '../../src/once/overview.ts';
import { FakeEtcd } from '../support/fake-etcd.ts';
import { startWholeNode } from '../support/once-node.ts';
import { openPage } from './browser.ts';
import { NOW_MS } from './made-up.ts';

export function node(number: number, more: Partial<NodeView> = {}): NodeView {
  const startedAt = new Date(NOW_MS - number * 9_876_000).toISOString();
  return {
    ...{ id: `node-${number}`, host: `once-${number}`, pid: 4240 + number, version: '0.5.0' },
    ...{ startedAt, url: `http://10.1.7.2${number}:11000`, figures: figuresAt(0) },
    ...more,
  };
}

/** A node that was killed. */
export function deadNode(number: number): NodeView {
  const { figures: _, ...dead } = node(number);
  return { ...dead, why: `connect ECONNREFUSED 10.1.7.2${number}:11000` };
}

function member(number: number, more: Partial<MemberView> = {}): MemberView {
  return {
    ...{ name: `etcd-${number}`, url: `http://10.1.7.3${number}:2379`, version: '3.4.23' },
    ...{ state: number === 2 ? 'leader' : 'follower', term: 7, faults: [] },
    ...{ databaseBytes: 612_000_000 + number * 4096, usedBytes: 598_000_000 },
    ...{ quotaBytes: 2 ** 31, latencySeconds: 0.0011 + number * 0.0004 },
    ...more,
  };
}

export function deadMember(number: number): MemberView {
  const { name, url } = member(number);
  const faults = [`${url}: connect ECONNREFUSED 10.1.7.3${number}:2379`];
  return { name, url, state: 'silent', faults };
}

export function overviewOf(more: Partial<Overview> = {}): Overview {
  return {
    ...{ atMs: NOW_MS, self: 'node-1', needsToken: true, keys: 1_204_331 },
    ...{ nodes: [node(1), node(2), node(3)], members: [member(1), member(2), member(3)] },
    ...more,
  };
}

/** Some of the states that the page shows. */
export const STATES = {
  well: overviewOf(),
  'one node dead': overviewOf({ nodes: [node(1), node(2), deadNode(3)] }),
  'no quorum': overviewOf({
    members: [member(1, { state: 'lost' }), deadMember(2), deadMember(3)],
  }),
  'nearly full': overviewOf({
    members: [1, 2, 3].map((i) => member(i, { databaseBytes: 1.9e9, faults: ['alarm:NOSPACE'] })),
  }),
} as const;

/** What a node was asked up to a moment, by a rate that rises and falls. */
function figuresAt(seconds: number, share = 1): Figures {
  const passed = (rate: number, period: number): number => {
    const wave = (period / (2 * Math.PI)) * (1 - Math.cos((2 * Math.PI * seconds) / period));
    return Math.round(share * rate * (seconds + 0.3 * wave));
  };
  const gets = passed(4_200, 170);
  return {
    ...{ gets, hits: Math.round(gets * 0.964), misses: passed(9, 60), readsUnavailable: 0 },
    ...{ created: passed(310, 95), same: passed(12, 80), conflicts: passed(4, 50) },
    ...{ unknown: 0, refused: 0, warmed: 0, cachedItems: 48_112, cachedBytes: 41_700_000 },
  };
}

/** The same, after some seconds of requests. */
export function after(overview: Overview, seconds: number): Overview {
  const nodes = overview.nodes.map((one, i) => {
    return one.figures === undefined ? one : { ...one, figures: figuresAt(seconds, 1 / (i + 1)) };
  });
  return { ...overview, atMs: NOW_MS + seconds * 1000, nodes };
}

export interface ShownOverview {
  readonly page: Page;
  overview: Overview;
}

/** Opens the admin page of a node whose overview is this one; tests change it. */
export async function openAdmin(
  overview: Overview,
  options: Parameters<typeof openPage>[1] = {},
): Promise<ShownOverview> {
  const { url } = await startWholeNode([(await FakeEtcd.start()).url]);
  let shown: ShownOverview | undefined;
  const page = await openPage(`${url}/admin`, options, async (fresh) => {
    await fresh.route('**/api/overview', (route) =>
      route.fulfill({ json: shown?.overview ?? overview }),
    );
  });
  shown = { page, overview };
  await page.locator('#verdict:not([data-level=none])').waitFor();
  return shown;
}

/** Has the page show another overview now: it asks again, as a tab does that is seen again. */
export async function showNow(shown: ShownOverview, overview: Overview): Promise<void> {
  const { page } = shown;
  // A poll may come by itself at any moment, and show it before it is waited for.
  const before = JSON.stringify(await page.locator('#updated').textContent());
  shown.overview = overview;
  await page.evaluate(`new Promise((resolve) => {
    const updated = document.getElementById('updated');
    const look = () => updated.textContent !== ${before} && resolve();
    new MutationObserver(look).observe(updated, { childList: true });
    document.dispatchEvent(new Event('visibilitychange'));
    look();
  })`);
}
