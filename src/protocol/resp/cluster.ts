import { SLOTS, slotOf } from '../../shards/slots.ts';
import type { RecordVisitor } from '../../storage/storage.ts';
import { type Reply, STEP_WORK_MAX } from '../reply.ts';
import {
  appendClusterInfo,
  appendNodes,
  appendShards,
  appendSlots,
  shardIdOf,
} from './cluster-listings.ts';
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
import type { ScanView } from './positions.ts';

const NO_CLUSTER = 'ERR This instance has cluster support disabled';

/**
 * Records lie in no order of slots: to find those of one, all keys are hashed. It is refused on more
 * keys than this, or more bytes, as it holds the thread until it is done.
 */
export const SLOT_KEYS_MAX = 5_000;
const SLOT_KEYS_BYTES_MAX = 256 * 1024;

/** Looking at a record, and hashing its key, in units of work (see reply.ts). */
const RECORDS_A_UNIT = 4;

const TOO_MANY_KEYS = `ERR it is refused on more than ${SLOT_KEYS_MAX} keys, or ${SLOT_KEYS_BYTES_MAX} bytes of them, use SCAN`;

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

/**
 * Shows the keys of a slot.
 *
 * @returns Whether all were shown. If not, an error was answered.
 */
function showSlot(
  call: Call,
  reply: Reply,
  slot: number,
  show: (key: Buffer, start: number, end: number) => void,
): boolean {
  return withView(call, (view) => {
    const { keys } = view.info;
    let bytes = 0;
    let cursor = 0;
    let work = 0;
    const visit: RecordVisitor = (key, start, end) => {
      bytes += end - start;
      if (bytes > SLOT_KEYS_BYTES_MAX) return false;
      if (slotOf(key, start, end) === slot) show(key, start, end);
      return undefined;
    };
    const isSmall = keys <= SLOT_KEYS_MAX && view.scan !== undefined;
    if (isSmall) {
      do {
        cursor = (view as ScanView).scan(cursor, SLOT_KEYS_MAX, visit);
        work += SLOT_KEYS_MAX / RECORDS_A_UNIT;
      } while (cursor !== 0 && bytes <= SLOT_KEYS_BYTES_MAX && work < STEP_WORK_MAX);
      reply.charge(keys / RECORDS_A_UNIT);
    }
    if (isSmall && cursor === 0 && bytes <= SLOT_KEYS_BYTES_MAX) return true;
    fail(call, reply, TOO_MANY_KEYS);
    return false;
  });
}

/** CLUSTER COUNTKEYSINSLOT slot */
function countKeys(call: Call, reply: Reply): void {
  const slot = nextSlot(call, reply);
  if (slot === undefined) return;
  let count = 0;
  const isDone = showSlot(call, reply, slot, () => {
    count++;
  });
  if (isDone) appendInteger(reply, count);
}

/** CLUSTER GETKEYSINSLOT slot count */
function getKeys(call: Call, reply: Reply): void {
  const slot = nextSlot(call, reply);
  if (slot === undefined) return;
  const asked = call.args.nextText();
  if (!isInteger(asked) || Number(asked) < 0) {
    fail(call, reply, 'ERR Invalid slot or number of keys');
    return;
  }
  const most = Number(asked);
  const keys: Buffer[] = [];
  const isDone = showSlot(call, reply, slot, (key, start, end) => {
    if (keys.length < most) keys.push(Buffer.from(key.subarray(start, end)));
  });
  if (!isDone) return;
  appendArray(reply, keys.length);
  for (const key of keys) appendBulkCopy(reply, key, 0, key.length);
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
      run: inCluster((_, reply, map) => appendBulkText(reply, shardIdOf(map))),
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
  { ...plainCommand('cluster', -2, cluster, []), work: 20 },
];
