/** What belongs in this folder: what `/admin` shows: the nodes, the members of etcd, the page. */
import type tls from 'node:tls';
import type { Etcd } from '../../etcd/etcd.ts';
import { type Page, pageOf } from '../../page/page.ts';
import { keyRange } from '../keys.ts';
import { listNodes } from '../nodes.ts';
import type { Figures, NodeFacts, NodeView, Overview } from '../overview.ts';
import { Members } from './members.ts';
import { askNodes } from './peers.ts';

/** As the build leaves them: modules of JavaScript, style sheets, and one of HTML. */
const PAGE = new URL('./page/', import.meta.url);

/** However many look, etcd and the nodes are asked this often at most. */
const KEPT_MS = 900;
/** To count a million keys keeps etcd busy for a moment. */
const COUNT_MS = 10_000;

export interface AdminParts {
  readonly etcd: Etcd;
  readonly prefix: string;
  /** What this node says of itself; it may learn its address later. */
  readonly facts: () => NodeFacts;
  readonly figures: () => Figures;
  readonly needsToken: boolean;
  /** What this node shows to clients, and to other nodes. */
  readonly tls: () => tls.TlsOptions | undefined;
}

/** What a node tells whoever runs it. */
export interface Admin {
  readonly page: Page;
  facts(): NodeFacts;
  overview(): Promise<Overview>;
}

export function createAdmin(parts: AdminParts): Admin {
  const members = new Members(parts.etcd);
  const count = keyCounter(parts);
  let kept: Promise<Overview> | undefined;
  let untilMs = 0;
  const look = async (): Promise<Overview> => {
    const [{ self, views, nodesFault }, known, keys] = await Promise.all([
      nodesOf(parts),
      members.look(),
      count(),
    ]);
    return {
      ...{ atMs: Date.now(), self: self.id, needsToken: parts.needsToken },
      nodes: [{ ...self, figures: parts.figures() }, ...views],
      ...(nodesFault !== undefined && { nodesFault }),
      ...{ members: known, keys },
    };
  };
  return {
    page: pageOf(PAGE, ['admin.css']),
    facts: parts.facts,
    overview() {
      if (kept === undefined || performance.now() > untilMs) {
        untilMs = Number.POSITIVE_INFINITY;
        kept = look().finally(() => {
          untilMs = performance.now() + KEPT_MS;
        });
      }
      return kept;
    },
  };
}

/** This node, which need not ask itself, and what the others answer. */
async function nodesOf({ etcd, prefix, facts, tls }: AdminParts): Promise<{
  readonly self: NodeFacts;
  readonly views: readonly NodeView[];
  readonly nodesFault?: string;
}> {
  const self = facts();
  const nodes = await listNodes(etcd, prefix);
  if (typeof nodes === 'string') return { self, views: [], nodesFault: nodes };
  const others = nodes.filter(({ id }) => id !== self.id);
  return { self, views: await askNodes(others, tls()) };
}

function keyCounter({ etcd, prefix }: AdminParts): () => Promise<number | undefined> {
  const { key, end } = keyRange(prefix);
  let keys: number | undefined;
  let untilMs = 0;
  return async () => {
    if (performance.now() < untilMs) return keys;
    const outcome = await etcd.count(key, end);
    keys = outcome.kind === 'done' ? outcome.value : undefined;
    if (keys !== undefined) untilMs = performance.now() + COUNT_MS;
    return keys;
  };
}
