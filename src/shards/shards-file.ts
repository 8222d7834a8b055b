import { formatAddress, isAnyHost, parseAddress } from '../common/address.ts';
import { GoromdbError } from '../common/errors.ts';
import { isTable, readToml } from '../common/toml-file.ts';
import { findLines, type TomlLines } from '../common/toml-lines.ts';
import {
  NODES_MAX,
  SHARD_HASHES,
  SHARD_NAME,
  SHARDS_MAX,
  type Shard,
  type ShardHash,
  type ShardNode,
  type TcpAddress,
  type Topology,
} from './shards.ts';
import { SLOTS, type SlotRange, slotsOf } from './slots.ts';

/** The name of the tables, one for each shard. */
const TABLES = 'shards';

const SHARD_KEYS = [
  ...['name', 'idx', 'address', 'replicas', 'slots', 'cluster-address', 'announce'],
];
const NODE_KEYS = ['address', 'cluster-address', 'announce'];

type Table = Readonly<Record<string, unknown>>;

/** Where in the file something is, for messages. */
interface Place {
  readonly path: string;
  readonly lines: TomlLines;
  /** The number of the table, from 0; undefined: the part above. */
  readonly number: number | undefined;
}

/**
 * Reads shards.toml: who has which part of the keys.
 *
 * @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID, with the file, the line, what was given and
 *   what is allowed.
 */
export function readShards(path: string): Topology {
  const { text, values } = readToml(path);
  const { [TABLES]: tables, ...top } = values;
  const above: Place = { path, lines: findLines(text, TABLES), number: undefined };
  checkKeys(above, top, ['hash']);
  if (!Array.isArray(tables) || tables.length === 0 || !tables.every(isTable)) {
    throw fault(above, TABLES, `expected one [[${TABLES}]] or more, each with name, idx, address`);
  }
  if (tables.length > SHARDS_MAX) {
    const tooMany = { ...above, number: SHARDS_MAX };
    throw fault(tooMany, TABLES, `expected at most ${SHARDS_MAX}, found ${tables.length}`);
  }
  const places = tables.map((_, number) => ({ ...above, number }));
  const hash = hashOf(above, top.hash ?? 'slots');
  const read = tables.map((table, number) => readShard(places[number], table, hash));
  checkUnique(places, read);
  const shards = hash === 'slots' ? withSlots(places, read) : read;
  return { hash, shards: shards.toSorted((a, b) => a.idx - b.idx) };
}

/** Where in shards.toml the key of a shard is, for messages: file and, if it is found, line. */
export function whereIn(path: string, shard: string, key: string): string {
  const { text, values } = readToml(path);
  const tables = values[TABLES];
  const number = Array.isArray(tables) ? tables.findIndex(({ name }) => name === shard) : -1;
  return shownPlace({ path, lines: findLines(text, TABLES), number }, key);
}

function hashOf(place: Place, given: unknown): ShardHash {
  const hash = SHARD_HASHES.find((name) => name === given);
  if (hash !== undefined) return hash;
  throw fault(place, 'hash', `expected one of ${SHARD_HASHES.join(', ')}, found ${shown(given)}`);
}

function readShard(place: Place, table: Table, hash: ShardHash): Shard {
  checkKeys(place, table, SHARD_KEYS);
  const { name, idx, replicas = [], slots } = table;
  if (typeof name !== 'string' || !SHARD_NAME.test(name)) {
    const expected = 'expected 1 to 64 letters, digits, "-", "_" and "."';
    throw fault(place, 'name', `${expected}, found ${shown(name)}`);
  }
  if (!Number.isInteger(idx) || (idx as number) < 0) {
    throw fault(place, 'idx', `expected a whole number from 0, found ${shown(idx)}`);
  }
  if (!Array.isArray(replicas)) {
    const expected = 'expected a list of "host:port", or of { address = "host:port", … }';
    throw fault(place, 'replicas', `${expected}, found ${shown(replicas)}`);
  }
  if (slots !== undefined && hash !== 'slots') {
    throw fault(place, 'slots', `expected none with hash = "${hash}"`);
  }
  const others = replicas.map((replica) => {
    if (!isTable(replica)) return readNode(place, { address: replica }, 'replicas');
    checkKeys(place, replica, NODE_KEYS, 'replicas');
    return readNode(place, replica, 'replicas');
  });
  const range = slots === undefined ? undefined : readSlots(place, slots);
  return { name, idx: idx as number, slots: range, nodes: [readNode(place, table), ...others] };
}

/** @param within The key whose value has the node, when it is not the table itself. */
function readNode(place: Place, table: Table, within?: string): ShardNode {
  const read = (key: string): TcpAddress | undefined => {
    return table[key] === undefined ? undefined : readAddress(place, within ?? key, table[key]);
  };
  const address = readAddress(place, within ?? 'address', table.address);
  const clusterAddress = read('cluster-address');
  const announce = read('announce');
  if (announce !== undefined && clusterAddress === undefined) {
    throw fault(place, within ?? 'announce', 'announce: expected cluster-address beside it');
  }
  checkReachable(place, within ?? 'address', address);
  if (announce !== undefined) checkReachable(place, within ?? 'announce', announce);
  else if (clusterAddress !== undefined && isAnyHost(clusterAddress.host ?? '')) {
    const found = formatAddress(clusterAddress);
    const what = `${found}: expected announce beside it, which says where clients reach the node`;
    throw fault(place, within ?? 'cluster-address', what);
  }
  return { address, clusterAddress, announce };
}

function readAddress(place: Place, key: string, given: unknown): TcpAddress {
  const expected = 'expected "host:port", with a host that the other nodes and clients know';
  if (typeof given !== 'string') throw fault(place, key, `${expected}, found ${shown(given)}`);
  let address: ReturnType<typeof parseAddress>;
  try {
    address = parseAddress(given);
  } catch (cause) {
    throw fault(place, key, `${expected}, found ${shown(given)}`, cause);
  }
  if (address.kind === 'tcp' && address.host !== undefined && address.port > 0) return address;
  throw fault(place, key, `${expected}, found ${shown(given)}`);
}

/** One can listen on all addresses of a machine, and nobody can be sent there. */
function checkReachable(place: Place, key: string, address: TcpAddress): void {
  if (!isAnyHost(address.host ?? '')) return;
  const found = formatAddress(address);
  const what = `expected a host that the other nodes and clients know, found "${found}", which is all addresses of a machine`;
  throw fault(place, key, what);
}

function readSlots(place: Place, given: unknown): SlotRange {
  const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(String(given)) ?? [];
  const range = { first: Number(first), last: Number(last) };
  if (range.first <= range.last && range.last < SLOTS) return range;
  throw fault(
    place,
    'slots',
    `expected "first-last" within "0-${SLOTS - 1}", found ${shown(given)}`,
  );
}

function checkUnique(places: readonly Place[], shards: readonly Shard[]): void {
  const count = shards.length;
  const idxs = new Map<number, Shard>();
  const names = new Set<string>();
  const addresses = new Set<string>();
  let nodes = 0;
  for (const [i, shard] of shards.entries()) {
    const place = places[i];
    const { name, idx } = shard;
    if (idx >= count) {
      const what = `expected 0 to ${count - 1}, as there are ${count} shards, found ${idx}`;
      throw fault(place, 'idx', what);
    }
    const other = idxs.get(idx);
    if (other !== undefined) throw fault(place, 'idx', `${idx} is that of ${other.name} already`);
    if (names.has(name)) throw fault(place, 'name', `${shown(name)} is there twice`);
    for (const node of shard.nodes) {
      for (const address of [node.address, node.announce ?? node.clusterAddress]) {
        if (address === undefined) continue;
        const text = formatAddress(address);
        if (addresses.has(text)) {
          throw fault(place, keyOf(shard, node, address), `${shown(text)} is there twice`);
        }
        addresses.add(text);
      }
    }
    idxs.set(idx, shard);
    names.add(name);
    nodes += shard.nodes.length;
  }
  if (nodes > NODES_MAX) {
    throw fault(places[0], undefined, `expected at most ${NODES_MAX} nodes, found ${nodes}`);
  }
}

/** The key that an address of a node is in. */
function keyOf({ nodes }: Shard, node: ShardNode, address: TcpAddress): string {
  if (node !== nodes[0]) return 'replicas';
  if (address === node.address) return 'address';
  return address === node.announce ? 'announce' : 'cluster-address';
}

function withSlots(places: readonly Place[], shards: readonly Shard[]): readonly Shard[] {
  const count = shards.length;
  if (shards.every(({ slots }) => slots === undefined)) {
    if ((count & (count - 1)) === 0) {
      return shards.map((shard) => ({ ...shard, slots: slotsOf(shard.idx, count) }));
    }
    const what = `expected 1, 2, 4, 8, … ${SHARDS_MAX} shards, or slots for each, found ${count}`;
    // The last of them may be the one too many, or another is missing behind it.
    throw fault(places[count - 1], TABLES, what);
  }
  const without = shards.findIndex(({ slots }) => slots === undefined);
  if (without !== -1) {
    throw fault(places[without], undefined, 'slots is missing, as other shards have it');
  }
  const inOrder = shards.map((_, i) => i).sort((a, b) => firstOf(shards[a]) - firstOf(shards[b]));
  let next = 0;
  for (const i of inOrder) {
    const { first, last } = shards[i].slots!;
    if (first !== next) {
      const what = first > next ? `slots ${next}-${first - 1} belong to no shard` : `${first} is`;
      const ending = first > next ? '' : ' a slot of another shard, too';
      throw fault(places[i], 'slots', `expected to begin at ${next}: ${what}${ending}`);
    }
    next = last + 1;
  }
  if (next === SLOTS) return shards;
  const end = `slots ${next}-${SLOTS - 1} belong to no shard`;
  throw fault(places[inOrder[count - 1]], 'slots', `expected to end at ${SLOTS - 1}: ${end}`);
}

function firstOf({ slots }: Shard): number {
  return slots!.first;
}

/** @param within Named in messages in place of the key itself. */
function checkKeys(place: Place, table: Table, keys: readonly string[], within?: string): void {
  for (const key of Object.keys(table)) {
    if (keys.includes(key)) continue;
    const what = `${shown(key)} is not known; expected one of ${keys.join(', ')}`;
    throw fault(place, within ?? key, what);
  }
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

function fault(place: Place, key: string | undefined, what: string, cause?: unknown): GoromdbError {
  const message = `${shownPlace(place, key)}: ${key === undefined ? '' : `${key}: `}${what}`;
  return new GoromdbError('OPTION_INVALID', message, { cause });
}

function shownPlace({ path, lines, number }: Place, key: string | undefined): string {
  const line = lines.lineOf(key, number);
  return line === undefined ? path : `${path}:${line}`;
}
