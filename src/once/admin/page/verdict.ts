/** What whoever runs nodes should know first. */
import { bytesText, countOf, shareText } from '../../../page/browser/figures.ts';
import type { MemberView, NodeView, Overview } from '../../overview.ts';

/** `ok`: nothing to do; `warn`: somebody should look at it; `bad`: clients do not get what they ask for. */
export type Level = 'ok' | 'warn' | 'bad';

export interface Finding {
  readonly level: Exclude<Level, 'ok'>;
  readonly text: string;
}

/** What etcd says of itself when it is full. */
const FULL = /\bNOSPACE\b/;

/** From this share of its quota on, a database is something to look at. */
const QUOTA_SHARE_MAX = 0.8;

export function findingsOf({ nodes, nodesFault, members }: Overview): readonly Finding[] {
  const bad: Finding[] = [];
  const warn: Finding[] = [];
  if (!hasQuorum(members)) {
    const text = 'etcd has no quorum: nothing can be created, and what no cache has cannot be read';
    bad.push({ level: 'bad', text });
  }
  if (members.some(({ faults }) => faults.some((fault) => FULL.test(fault)))) {
    bad.push({ level: 'bad', text: 'etcd is full: nothing can be created; reads go on' });
  }
  if (nodesFault !== undefined) {
    warn.push({ level: 'warn', text: `The other nodes are not known: ${nodesFault}` });
  }
  for (const node of nodes) {
    if (node.why === undefined) continue;
    warn.push({ level: 'warn', text: `Node ${nodeName(node)} does not answer: ${node.why}` });
  }
  for (const member of members) {
    for (const text of memberTexts(member)) warn.push({ level: 'warn', text });
  }
  return [...bad, ...warn];
}

function memberTexts(member: MemberView): readonly string[] {
  const name = `Member ${member.name || member.url}`;
  const share = quotaShare(member) ?? 0;
  const full = `${name} uses ${shareText(share)} of its quota of ${bytesText(member.quotaBytes ?? 0)}`;
  return [
    ...(member.state === 'silent' ? [`${name} does not answer`] : []),
    ...(member.state === 'lost' ? [`${name} knows no leader`] : []),
    ...(member.state === 'silent'
      ? []
      : member.faults.filter((fault) => !FULL.test(fault)).map((fault) => `${name}: ${fault}`)),
    ...(share > QUOTA_SHARE_MAX ? [full] : []),
  ];
}

/** What of its quota a database takes: etcd creates nothing any more when it is full. */
export function quotaShare({ databaseBytes, quotaBytes }: MemberView): number | undefined {
  return quotaBytes === undefined || databaseBytes === undefined
    ? undefined
    : databaseBytes / quotaBytes;
}

/** Without a quorum a leader steps down, and its followers know none. */
function hasQuorum(members: readonly MemberView[]): boolean {
  return members.some(({ state }) => state === 'leader' || state === 'follower');
}

export function verdictOf(
  { nodes, members, keys }: Overview,
  findings: readonly Finding[],
): { readonly level: Level; readonly title: string; readonly detail: string } {
  const serving = nodes.filter(({ figures }) => figures !== undefined).length;
  const answering = members.filter(({ state }) => state !== 'silent' && state !== 'unasked').length;
  const of = (some: number, all: number, one: string): string =>
    some === all ? countOf(all, one) : `${some} of ${countOf(all, one)}`;
  const detail = [
    `${of(answering, members.length, 'member')} of etcd and ${of(serving, nodes.length, 'node')} answer`,
    ...(keys === undefined ? [] : [`there ${keys === 1 ? 'is' : 'are'} ${countOf(keys, 'key')}`]),
  ].join('; ');
  if (findings.some(({ level }) => level === 'bad')) {
    const title = hasQuorum(members) ? 'etcd is full' : 'etcd has no quorum';
    return { level: 'bad', title, detail: `${detail}.` };
  }
  if (findings.length === 0)
    return { level: 'ok', title: 'Keys are created and read', detail: `${detail}.` };
  const things = countOf(findings.length, 'thing');
  const title = `Keys are created and read, with ${things} to look at`;
  return { level: 'warn', title, detail: `${detail}.` };
}

/** What a node is called: where it is reached, or its process. */
export function nodeName({ url, host, pid }: NodeView): string {
  return url?.replace(/^https?:\/\//, '') ?? `${host}, pid ${pid}`;
}
