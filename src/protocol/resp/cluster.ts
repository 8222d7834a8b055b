import { SLOTS, slotOf } from '../../shards/slots.ts';
import { shardIdOf } from '../redis-cluster.ts';
import type { Reply } from '../reply.ts';
import { appendClusterInfo, appendNodes, appendShards, appendSlots } from './cluster-listings.ts';
import type { ClusterMap } from './cluster-map.ts';
import {
  type Call,
  type Command,
  fail,
  isInteger,
  NOT_AN_INTEGER,
  plainCommand,
  runSubcommand,
  type Subcommands,
  withView,
} from './command.ts';
import {
  appendArray,
  appendBulkCopy,
  appendBulkText,
  appendInteger,
  appendSimple,
} from './output.ts';
import { canScan } from './positions.ts';
import { SLOT_KEYS_BYTES_MAX, SLOT_KEYS_MAX, SlotSearch } from './slot-keys.ts';

const NO_CLUSTER = 'ERR This instance has cluster support disabled';

const CANNOT_LIST = 'ERR this storage cannot list its keys';
const TOO_MANY_KEYS = `ERR it is refused for more than ${SLOT_KEYS_MAX} keys, or ${SLOT_KEYS_BYTES_MAX} bytes of them: ask for fewer`;

type RunInCluster = (call: Call, reply: Reply, map: ClusterMap) => void;

/** A subcommand, which `cluster` runs where there is one. @param work What it costs for each node. */
function inCluster(run: RunInCluster, work = 0): (call: Call, reply: Reply) => void {
  return (call, reply) => {
    const map = call.cluster!;
    reply.charge(map.cluster.answering.length * work);
    run(call, reply, map);
  };
}

function keyslot(call: Call, reply: Reply): void {
  const { args } = call;
  args.advance();
  appendInteger(reply, slotOf(args.input, args.start, args.end));
}

/** @returns undefined when it was answered with an error. */
function nextSlot(call: Call, reply: Reply): number | undefined {
  const asked = call.args.nextText();
  const slot = isInteger(asked) ? Number(asked) : undefined;
  if (slot === undefined) fail(call, reply, NOT_AN_INTEGER);
  else if (slot < 0 || slot >= SLOTS) fail(call, reply, 'ERR Invalid slot');
  else return slot;
  return undefined;
}

/** Counts the keys of all slots, and finds those that are asked for. See `Command.prepare`. */
function prepare(call: Call, reply: Reply): boolean {
  const { args, client, cluster } = call;
  const name = args.nextWord();
  const isCount = name === 'countkeysinslot' && args.left === 1;
  const isSearch = name === 'getkeysinslot' && args.left === 2;
  if (cluster === undefined || !(isCount || isSearch)) return true;
  return withView(call, (view) => {
    if (!canScan(view)) return true;
    const counts = cluster.slotCounts.goOn(view, reply);
    if (counts === undefined) return false;
    if (isCount) return true;
    const slot = Number(args.nextText());
    // What is no number is refused later: nothing is looked for.
    const most = Number(args.nextText()) || 0;
    // Of what is no slot, none is there.
    const there = counts[slot] ?? 0;
    const { info } = view;
    const last = client.slotSearch;
    const isSame = last?.slot === slot && last.most === most && last.info === info;
    const search = isSame ? last : new SlotSearch(slot, most, info);
    client.slotSearch = search;
    return search.goOn(view, there, reply);
  });
}

/** CLUSTER COUNTKEYSINSLOT slot */
function countKeys(call: Call, reply: Reply, map: ClusterMap): void {
  const slot = nextSlot(call, reply);
  if (slot === undefined) return;
  const counts = withView(call, (view) => {
    return canScan(view) ? map.slotCounts.goOn(view, reply) : undefined;
  });
  if (counts === undefined) fail(call, reply, CANNOT_LIST);
  else appendInteger(reply, counts[slot]);
}

/** CLUSTER GETKEYSINSLOT slot count */
function getKeys(call: Call, reply: Reply): void {
  const search = call.client.slotSearch;
  call.client.slotSearch = undefined;
  if (nextSlot(call, reply) === undefined) return;
  const asked = call.args.nextText();
  if (!isInteger(asked) || Number(asked) < 0) {
    fail(call, reply, 'ERR Invalid slot or number of keys');
    return;
  }
  if (search === undefined || search.isTooLong) {
    fail(call, reply, search === undefined ? CANNOT_LIST : TOO_MANY_KEYS);
    return;
  }
  appendArray(reply, search.keys.length);
  for (const key of search.keys) appendBulkCopy(reply, key, 0, key.length);
}

const CLUSTER_SUBCOMMANDS: Subcommands = new Map([
  [
    'slots',
    {
      arity: 2,
      help: ['', 'The ranges of slots, and the nodes of each that answer.'],
      run: inCluster((_, reply, map) => appendSlots(reply, map), 1),
    },
  ],
  [
    'shards',
    {
      arity: 2,
      help: ['', 'The shards, and all their nodes.'],
      run: inCluster((call, reply, map) => appendShards(reply, map, call), 1),
    },
  ],
  [
    'nodes',
    {
      arity: 2,
      help: ['', 'All nodes, a line each.'],
      run: inCluster((call, reply, map) => appendNodes(reply, map, call), 1),
    },
  ],
  [
    'info',
    {
      arity: 2,
      help: ['', 'The state of the cluster.'],
      run: inCluster((call, reply, map) => appendClusterInfo(reply, map, call), 1),
    },
  ],
  [
    'myid',
    {
      arity: 2,
      help: ['', 'The id of this node.'],
      run: inCluster((_, reply, map) => appendBulkText(reply, map.own.id)),
    },
  ],
  [
    'myshardid',
    {
      arity: 2,
      help: ['', 'The id of its shard.'],
      run: inCluster((_, reply, { cluster: { shards, ownShard } }) => {
        appendBulkText(reply, shardIdOf(shards[ownShard]));
      }),
    },
  ],
  ['keyslot', { arity: 3, help: ['key', 'The slot of a key.'], run: inCluster(keyslot) }],
  [
    'countkeysinslot',
    {
      arity: 3,
      help: ['slot', 'How many keys of this node are in a slot.'],
      run: inCluster(countKeys),
    },
  ],
  [
    'getkeysinslot',
    {
      arity: 4,
      help: ['slot count', 'Keys of this node in a slot.'],
      run: inCluster(getKeys),
    },
  ],
]);

/** Without a cluster Redis answers HELP too with that error. */
function cluster(call: Call, reply: Reply): void {
  if (call.cluster === undefined) fail(call, reply, NO_CLUSTER);
  else runSubcommand(call, reply, 'cluster', CLUSTER_SUBCOMMANDS);
}

function ok(_: Call, reply: Reply): void {
  appendSimple(reply, 'OK');
}

/** No slot ever moves while both nodes serve it: ASKING changes nothing. */
function asking(call: Call, reply: Reply): void {
  if (call.cluster === undefined) fail(call, reply, NO_CLUSTER);
  else appendSimple(reply, 'OK');
}

/** The commands of clients of a Redis Cluster. */
export const CLUSTER: readonly Command[] = [
  // Replicas are equal: each answers, whether it was told READONLY or not.
  plainCommand('readonly', 1, ok),
  plainCommand('readwrite', 1, ok),
  plainCommand('asking', 1, asking, ['fast']),
  { ...plainCommand('cluster', -2, cluster, []), work: 20, prepare },
];
