import type { EndpointStatus, Etcd, Member } from '../../etcd/etcd.ts';
import type { MemberView } from '../overview.ts';

/** A quota changes only with a restart of the member. */
const QUOTA_MS = 60_000;

/** What an endpoint has answered, and after how long. */
interface Answered {
  readonly url: string;
  readonly status?: EndpointStatus;
  readonly latencySeconds: number;
  readonly quotaBytes?: number | undefined;
  readonly why: string;
}

/** Asks the members of a cluster for their status. */
export class Members {
  readonly #etcd: Etcd;
  /** Those of the last time that etcd has named them. */
  #members: readonly Member[] = [];
  readonly #quotas = new Map<string, { readonly bytes: number; readonly untilMs: number }>();

  constructor(etcd: Etcd) {
    this.#etcd = etcd;
  }

  async look(): Promise<readonly MemberView[]> {
    const [members, ...answers] = await Promise.all([
      this.#etcd.members(),
      ...this.#etcd.endpoints.map((url) => this.#ask(url)),
    ]);
    if (members.kind === 'done') this.#members = members.value;
    return joined(this.#members, answers);
  }

  async #ask(url: string): Promise<Answered> {
    const fromMs = performance.now();
    const outcome = await this.#etcd.status(url);
    const latencySeconds = (performance.now() - fromMs) / 1000;
    if (outcome.kind !== 'done') return { url, latencySeconds, why: outcome.why };
    const quotaBytes = await this.#quotaOf(url);
    return { url, latencySeconds, status: outcome.value, quotaBytes, why: '' };
  }

  async #quotaOf(url: string): Promise<number | undefined> {
    const known = this.#quotas.get(url);
    if (known !== undefined && known.untilMs > performance.now()) return known.bytes;
    const outcome = await this.#etcd.quota(url);
    if (outcome.kind !== 'done') return known?.bytes;
    this.#quotas.set(url, { bytes: outcome.value, untilMs: performance.now() + QUOTA_MS });
    return outcome.value;
  }
}

/** Each member once, by name; endpoints that are no known member's stand behind. */
function joined(members: readonly Member[], answers: readonly Answered[]): readonly MemberView[] {
  const rest = new Set(answers);
  const views = members.map(({ id, name, clientUrls }): MemberView => {
    const own = answers.filter(({ url, status }) => {
      return status === undefined
        ? clientUrls.some((one) => isSameUrl(one, url))
        : status.memberId === id;
    });
    for (const answer of own) rest.delete(answer);
    const answer = own.find(({ status }) => status !== undefined) ?? own[0];
    if (answer !== undefined) return viewOf(name || id, answer);
    return { name: name || id, url: clientUrls[0] ?? '', state: 'unasked', faults: [] };
  });
  views.sort((a, b) => (a.name < b.name ? -1 : 1));
  return [...views, ...[...rest].map((answer) => viewOf('', answer))];
}

function viewOf(name: string, answer: Answered): MemberView {
  const { url, status, why, latencySeconds, quotaBytes } = answer;
  if (status === undefined) return { name, url, state: 'silent', faults: [why] };
  const { memberId, leaderId, term, version, databaseBytes, usedBytes, faults } = status;
  const state = leaderId === '0' ? 'lost' : leaderId === memberId ? 'leader' : 'follower';
  const figures = { term, version, databaseBytes, usedBytes, quotaBytes, latencySeconds };
  return { name, url, state, ...figures, faults };
}

function isSameUrl(one: string, other: string): boolean {
  return URL.canParse(one) && URL.canParse(other) && new URL(one).href === new URL(other).href;
}
