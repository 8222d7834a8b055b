import { formatAddress } from '../../common/address.ts';
import { messageOf } from '../../common/errors.ts';
import { inParallel } from '../../common/in-parallel.ts';
import { keysOf } from '../../common/quantities.ts';
import type { Topology } from '../../shards/shards.ts';
import type { Asking } from '../remote/memcached-stats.ts';
import { readStatsStatus } from '../remote/remote-status.ts';

/** Nodes that are asked at one time. */
const ASKED_AT_ONCE = 32;

/** What one node says of itself. */
export interface NodeState {
  readonly shard: string;
  readonly address: string;
  /** Why it does not answer; undefined: it does. */
  readonly fault?: string;
  readonly pid?: number;
  /** Undefined: it has no data, or does not answer. */
  readonly serving?: { readonly generation: number; readonly keys: number; readonly md5: string };
  /** Whether its data is that of the first node of its shard that has some; undefined: it has none. */
  readonly isSame?: boolean;
}

/** Asks all nodes, as clients of memcached do. The answer has them in the order of the file. */
export async function askNodes(
  { shards }: Topology,
  asking?: Asking,
): Promise<readonly NodeState[]> {
  const asked = shards.flatMap(({ name, nodes }) =>
    nodes.map(({ address }) => ({ shard: name, address })),
  );
  const states = new Map<object, Omit<NodeState, 'isSame'>>();
  await inParallel(asked, ASKED_AT_ONCE, async (node) => {
    const { shard, address } = node;
    const place = { shard, address: formatAddress(address) };
    try {
      const { pid, sets } = await readStatsStatus(address, asking);
      states.set(node, { ...place, pid, ...(sets[0]?.serving && { serving: sets[0].serving }) });
    } catch (error) {
      states.set(node, { ...place, fault: messageOf(error).replace(` from ${place.address}`, '') });
    }
  });
  const firsts = new Map<string, string>();
  return asked.map((node) => {
    const state = states.get(node)!;
    const md5 = state.serving?.md5;
    if (md5 !== undefined && !firsts.has(node.shard)) firsts.set(node.shard, md5);
    return md5 === undefined ? state : { ...state, isSame: md5 === firsts.get(node.shard) };
  });
}

/** Whether a node serves what its shard serves. */
export function isWell({ serving, isSame }: NodeState): boolean {
  return serving !== undefined && isSame === true;
}

/** A line for each node. */
export function linesOf(states: readonly NodeState[]): readonly string[] {
  const names = Math.max(...states.map(({ shard }) => shard.length));
  const addresses = Math.max(...states.map(({ address }) => address.length));
  return states.map((state, i) => {
    const name = states[i - 1]?.shard === state.shard ? '' : state.shard;
    return `${name.padEnd(names)}  ${state.address.padEnd(addresses)}  ${textOf(state)}`;
  });
}

function textOf({ fault, serving, pid, isSame }: NodeState): string {
  if (fault !== undefined) return fault;
  if (serving === undefined) return `pid ${pid}, has no data`;
  const { generation, keys, md5 } = serving;
  const note = isSame ? '' : ', NOT THE DATA of the first node of its shard';
  return `pid ${pid}, generation ${generation}, ${keysOf(keys)}, md5 ${md5.slice(0, 8)}${note}`;
}
