import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import type { Protocol } from '../../../src/protocol/protocol.ts';
import type { AnnouncedNode, RedisCluster } from '../../../src/protocol/redis-cluster.ts';
import { Reply, STEP_WORK_MAX, TURN_WORK_MAX } from '../../../src/protocol/reply.ts';
import { respProtocol } from '../../../src/protocol/resp/resp.ts';
import { SLOT_KEYS_MAX } from '../../../src/protocol/resp/slot-keys.ts';
import { slotOf } from '../../../src/shards/slots.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { playBinaryAllWays, playBinaryPieces } from '../../support/binary.ts';
import { contextOf } from '../../support/session.ts';
import { bytesOf, MapStorage, type TestRecord, tableOf } from '../../support/storages.ts';
import { bulk, keeping, type Parsed, parseReplies, req } from './harness.ts';

// Slots of a Redis 7.0.15: a 15495, b 3300, c 7365, d 11298, foo 12182.
const FIRST_HALF = { name: 'first', firstSlot: 0, lastSlot: 8191 };
const SECOND_HALF = { name: 'second', firstSlot: 8192, lastSlot: 16383 };

function node(number: number): AnnouncedNode {
  return { id: String(number).repeat(40), host: `10.0.0.${number}`, port: 7000 + number };
}

/** Two shards: node 1 alone, and this node, 2, beside 3 and 4. */
function clusterOf(more: Partial<RedisCluster> = {}): RedisCluster {
  return {
    shards: [
      { ...FIRST_HALF, nodes: [node(1)] },
      { ...SECOND_HALF, nodes: [node(2), node(3), node(4)] },
    ],
    ownShard: 1,
    ownNode: 0,
    isEncrypted: false,
    answering: new Uint8Array(new SharedArrayBuffer(4)).fill(1),
    ...more,
  };
}

function without(...nodes: readonly number[]): RedisCluster {
  const cluster = clusterOf();
  for (const number of nodes) cluster.answering[number - 1] = 0;
  return cluster;
}

function speaking(redisCluster: RedisCluster): Protocol {
  return {
    ...respProtocol,
    createSession: (context) => respProtocol.createSession({ ...context, redisCluster }),
  };
}

const RECORDS: readonly TestRecord[] = [
  ['a', 'one'],
  ['d', 'four'],
  ['{d}x', 'x'],
  ['foo', 'bar'],
];

/** Plays commands, whose words are separated by spaces, in all ways that they can arrive. */
function play(commands: readonly string[], cluster = clusterOf()): string {
  const requests = commands.map((command) => req(...command.split(' ')));
  const { output } = playBinaryAllWays(requests, RECORDS, speaking(cluster));
  return output.toString('latin1');
}

function ask(command: string, cluster = clusterOf(), storage: Storage = tableOf(RECORDS)): Parsed {
  const pieces = [req('HELLO', '3'), req(...command.split(' '))];
  const { output } = playBinaryPieces(pieces, keeping(storage), speaking(cluster));
  return parseReplies(output.toString('latin1'))[1];
}

const MOVED_B = '-MOVED 3300 10.0.0.1:7001\r\n';
const CROSSSLOT = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";

describe('on an address for clients of a Redis Cluster', () => {
  it('keys of this node are answered, hits and misses', () => {
    expect(play(['GET a', 'STRLEN d', 'GET {a}none', 'EXISTS foo'])).toBe(
      `${bulk('one')}:4\r\n$-1\r\n:1\r\n`,
    );
  });

  it('keys of another node send the client there', () => {
    expect(
      play(['GET b', 'STRLEN b', 'MGET b {b}x', 'EXISTS b', 'OBJECT ENCODING b', 'PING']),
    ).toBe(`${MOVED_B.repeat(5)}+PONG\r\n`);
    expect(play(['MEMORY USAGE b', 'TTL b', 'GETRANGE b 0 1', 'HGET b x', 'WATCH b'])).toBe(
      MOVED_B.repeat(5),
    );
  });

  it('several slots of this node are answered, as Redis does not', () => {
    expect(play(['MGET a d foo'])).toBe(`*3\r\n${bulk('one')}${bulk('four')}${bulk('bar')}`);
  });

  it('several slots, of which one is elsewhere, are refused whole', () => {
    expect(play(['MGET a b', 'MGET b a', 'MGET b c', 'EXISTS a d foo b', 'LCS a b', 'GET a'])).toBe(
      `${CROSSSLOT.repeat(5)}${bulk('one')}`,
    );
  });

  it('a command with a key of another node breaks a transaction when it is queued', () => {
    expect(play(['MULTI', 'GET a', 'GET b', 'EXEC', 'GET a'])).toBe(
      `+OK\r\n+QUEUED\r\n${MOVED_B}-EXECABORT Transaction discarded because of previous errors.\r\n${bulk('one')}`,
    );
    expect(play(['MULTI', 'GET a', 'MGET d foo', 'EXEC'])).toBe(
      `+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n${bulk('one')}*2\r\n${bulk('four')}${bulk('bar')}`,
    );
  });

  it('a list of keys that takes long to look at is looked at in turns', () => {
    const own = Array.from({ length: 20_000 }, (_, i) => `{a}${i}`);
    const [one] = [req('MGET', ...own)];
    const { output } = playBinaryPieces([one], keeping(tableOf(RECORDS)), speaking(clusterOf()));
    expect(output.toString('latin1')).toBe(`*20000\r\n${'$-1\r\n'.repeat(20_000)}`);
    const crossing = req('MGET', ...own, 'b');
    const refused = playBinaryPieces(
      [crossing, req('GET', 'a')],
      keeping(tableOf(RECORDS)),
      speaking(clusterOf()),
    );
    expect(refused.output.toString('latin1')).toBe(CROSSSLOT + bulk('one'));
  });

  it('a key that is too long for any file is missing, whosever it would be', () => {
    const long = 'b'.repeat(65_536);
    const pieces = [req('MGET', long, 'a'), req('MGET', long, 'a', 'b'), req('STRLEN', long)];
    const { output } = playBinaryPieces(pieces, keeping(tableOf(RECORDS)), speaking(clusterOf()));
    expect(output.toString('latin1')).toBe(`*2\r\n$-1\r\n${bulk('one')}${CROSSSLOT}:0\r\n`);
  });

  it('keys of others are counted, and are no misses', () => {
    const requests = ['GET b', 'MGET a b', 'STRLEN b', 'GET {a}none'].map((command) => {
      return req(...command.split(' '));
    });
    const { counters } = playBinaryAllWays(requests, RECORDS, speaking(clusterOf()));
    const { redis_redirects, cmd_redis, get_misses } = counters;
    expect({ redis_redirects, cmd_redis, get_misses }).toEqual({
      ...{ redis_redirects: 3, cmd_redis: 4, get_misses: 1 },
    });
  });

  it('writes are refused, whosever the keys', () => {
    const error = "-READONLY You can't write against a read only replica.\r\n";
    expect(play(['SET a 1', 'SET b 1'])).toBe(error.repeat(2));
  });

  it('a client is sent to a node that answers, each time to another one', () => {
    const shards = [
      { ...FIRST_HALF, nodes: [node(1), node(2), node(3)] },
      { ...SECOND_HALF, nodes: [node(4)] },
    ];
    const cluster = clusterOf({ shards });
    cluster.answering[1] = 0;
    const pieces = [req('GET', 'b'), req('GET', 'b')];
    const { output } = playBinaryPieces(pieces, keeping(tableOf(RECORDS)), speaking(cluster));
    expect(new Set(parseReplies(output.toString('latin1')))).toEqual(
      new Set(['-MOVED 3300 10.0.0.1:7001', '-MOVED 3300 10.0.0.3:7003']),
    );
  });

  it('nothing is a miss before there is data', () => {
    const none = tableOf([], 0);
    expect(ask('GET a', clusterOf(), none)).toBe('-CLUSTERDOWN this node has no data yet');
    expect(ask('MGET a d', clusterOf(), none)).toBe('-CLUSTERDOWN this node has no data yet');
    expect(ask('GET b', clusterOf(), none)).toBe('-MOVED 3300 10.0.0.1:7001');
    expect(ask('PING', clusterOf(), none)).toBe('-LOADING this node has no data yet');
    expect(ask('INFO persistence', clusterOf(), none)).toContain('\r\nloading:1\r\n');
    expect(ask('GET a', clusterOf(), tableOf([], 1))).toBe(null);
  });
});

describe('the commands of clients of a Redis Cluster', () => {
  it('say where the slots are, the nodes of a shard in turns', () => {
    const cluster = clusterOf();
    const entry = (n: number): Parsed => [`10.0.0.${n}`, 7000 + n, String(n).repeat(40)];
    const firsts = new Set<unknown>();
    // They begin anywhere, and behind the last slot anew, so that a node may come twice in a row.
    const pieces = Array.from({ length: 5 }, () => req('CLUSTER', 'SLOTS'));
    const { output } = playBinaryPieces(pieces, keeping(tableOf(RECORDS)), speaking(cluster));
    for (const reply of parseReplies(output.toString('latin1'))) {
      const [first, second] = reply as readonly (readonly Parsed[])[];
      expect(first).toEqual([0, 8191, entry(1)]);
      const [start, end, ...nodes] = second;
      expect([start, end, ...[...nodes].sort()]).toEqual([
        8192,
        16383,
        entry(2),
        entry(3),
        entry(4),
      ]);
      firsts.add(JSON.stringify(nodes[0]));
    }
    expect(firsts.size).toBe(3);
  });

  it('leave nodes out that do not answer, but not all of a shard, nor this one', () => {
    const [first, second] = ask(
      'CLUSTER SLOTS',
      without(1, 2, 4),
    ) as readonly (readonly Parsed[])[];
    expect(first).toHaveLength(3);
    expect([...second.slice(2)].map((entry) => (entry as Parsed[])[1]).sort()).toEqual([
      7002, 7003,
    ]);
  });

  it('list all nodes', () => {
    const id = (n: number): string => String(n).repeat(40);
    expect(ask('CLUSTER NODES', without(3))).toBe(
      'txt:' +
        `${id(1)} 10.0.0.1:7001@0 master - 0 0 1 connected 0-8191\n` +
        `${id(2)} 10.0.0.2:7002@0 myself,master - 0 0 2 connected 8192-16383\n` +
        `${id(3)} 10.0.0.3:7003@0 slave,fail ${id(2)} 0 0 2 disconnected\n` +
        `${id(4)} 10.0.0.4:7004@0 slave ${id(2)} 0 0 2 connected\n`,
    );
    expect(ask('CLUSTER MYID')).toBe(id(2));
  });

  it('list all nodes of a shard', () => {
    const [first, second] = ask('CLUSTER SHARDS', without(1, 3)) as readonly (readonly Parsed[])[];
    const shown = (n: number, role: string, health: string): Parsed => [
      ...['%', 'id', String(n).repeat(40), 'port', 7000 + n, 'ip', `10.0.0.${n}`],
      ...['endpoint', `10.0.0.${n}`, 'role', role, 'replication-offset', 0, 'health', health],
    ];
    expect(first).toEqual(['%', 'slots', [0, 8191], 'nodes', [shown(1, 'master', 'fail')]]);
    expect(second[4]).toEqual([
      shown(2, 'master', 'online'),
      shown(3, 'replica', 'fail'),
      shown(4, 'replica', 'online'),
    ]);
    expect(JSON.stringify(ask('CLUSTER SHARDS', clusterOf({ isEncrypted: true })))).toContain(
      '"tls-port",7002,',
    );
  });

  it('say how the cluster is', () => {
    const info = String(ask('CLUSTER INFO', without(1)));
    expect(info).toContain('cluster_state:ok\r\n');
    expect(info).toContain(
      'cluster_slots_ok:8192\r\ncluster_slots_pfail:0\r\ncluster_slots_fail:8192',
    );
    expect(info).toContain('cluster_known_nodes:4\r\ncluster_size:2\r\n');
    expect(ask('INFO')).toMatch(
      /redis_mode:cluster\r\n[\s\S]*\nloading:0\r\n[\s\S]*cluster_enabled:1\r\n/,
    );
    expect(ask('HELLO')).toContain('cluster');
  });

  it.each([
    ['foo', 12182],
    ['{foo}.bar', 12182],
    ['a{foo}b{c}', 12182],
    ['{}foo', 9500],
    ['foo{}', 5542],
    ['foo{', 7673],
    ['123456789', 12739],
  ])('hash the key %s to %i, as a Redis 7.0.15', (key, slot) => {
    expect(ask(`CLUSTER KEYSLOT ${key}`)).toBe(slot);
  });

  it('count and show the keys of a slot', () => {
    expect(ask('CLUSTER COUNTKEYSINSLOT 11298')).toBe(2);
    expect(ask('CLUSTER COUNTKEYSINSLOT 1')).toBe(0);
    expect([...(ask('CLUSTER GETKEYSINSLOT 11298 10') as readonly Parsed[])].sort()).toEqual([
      'd',
      '{d}x',
    ]);
    expect(ask('CLUSTER GETKEYSINSLOT 11298 1')).toHaveLength(1);
    expect(ask('CLUSTER COUNTKEYSINSLOT 16384')).toBe('-ERR Invalid slot');
    expect(ask('CLUSTER COUNTKEYSINSLOT x')).toMatch(/^-ERR value is not an integer/);
    expect(ask('CLUSTER GETKEYSINSLOT 1 -1')).toBe('-ERR Invalid slot or number of keys');
    expect(ask('CLUSTER GETKEYSINSLOT 16384 1')).toBe('-ERR Invalid slot');
    const none = new MapStorage([]);
    expect(ask('CLUSTER COUNTKEYSINSLOT 1', clusterOf(), none)).toMatch(/^-ERR this storage/);
    expect(ask('CLUSTER GETKEYSINSLOT 1 1', clusterOf(), none)).toMatch(/^-ERR this storage/);
  });

  it('count and show the keys of a slot among many, in turns', () => {
    const keys = Array.from({ length: 30_000 }, (_, i) => (i % 100 === 0 ? `{d}${i}` : `k${i}`));
    const longOnes = Array.from({ length: 50 }, (_, i) => `${'l'.repeat(60_000)}${i}`);
    const storage = tableOf([...keys, ...longOnes].map((key) => [key, '']));
    const slots = keys.map((key) => slotOf(Buffer.from(key), 0, key.length));
    const there = slots.filter((slot) => slot === 11298).length;
    const commands = [
      ...['COUNTKEYSINSLOT 11298', 'COUNTKEYSINSLOT 12182'],
      ...['GETKEYSINSLOT 11298 1000000', 'GETKEYSINSLOT 11298 7', 'GETKEYSINSLOT 11298 0'],
    ];
    const pieces = commands.map((command) => req('CLUSTER', ...command.split(' ')));
    const multi = [req('MULTI'), ...pieces, req('EXEC')];
    const { output } = playBinaryPieces(
      [...multi, ...pieces, req('GET', 'a')],
      keeping(storage),
      speaking(clusterOf()),
    );
    const replies = parseReplies(output.toString('latin1'));
    const [, , , , , , executed, ...alone] = replies;
    for (const [counted, other, all, seven, none] of [executed as readonly Parsed[], alone]) {
      expect(counted).toBe(there);
      expect(other).toBe(slots.filter((slot) => slot === 12182).length);
      const found = [...(all as readonly string[])].sort();
      expect(found).toEqual(keys.filter((_, i) => slots[i] === 11298).sort());
      expect(seven).toHaveLength(7);
      expect(none).toEqual([]);
    }
  });

  it('count anew when there is other data, and never more than a turn allows', () => {
    const tableWith = (count: number): Storage =>
      tableOf(Array.from({ length: count }, (_, i) => [`{d}${i}`, '']));
    const handler = createSimpleHandler(tableWith(20_000));
    const session = speaking(clusterOf()).createSession(contextOf(handler));
    const reply = new Reply();
    const input = req('CLUSTER', 'COUNTKEYSINSLOT', '11298');
    let turns = 0;
    let text = '';
    for (let at = 0; at < input.length; turns++) {
      at += session.receive(input, at, input.length, reply);
      expect(reply.work).toBeLessThanOrEqual(TURN_WORK_MAX + STEP_WORK_MAX);
      text += Buffer.concat(reply.take()).toString();
      reply.reset();
      if (turns === 2) handler.swap(tableWith(15_000));
    }
    expect(text).toBe(':15000\r\n');
    expect(turns).toBeGreaterThan(6);
  });

  it('show so many keys of a slot as one reply may have', () => {
    const many = tableOf(Array.from({ length: SLOT_KEYS_MAX + 1 }, (_, i) => [`{d}${i}`, '']));
    const all = `CLUSTER GETKEYSINSLOT 11298 ${SLOT_KEYS_MAX + 1}`;
    expect(ask(all, clusterOf(), many)).toMatch(/^-ERR it is refused for more than 5000/);
    const fewer = ask(`CLUSTER GETKEYSINSLOT 11298 ${SLOT_KEYS_MAX}`, clusterOf(), many);
    expect(fewer).toHaveLength(SLOT_KEYS_MAX);
    const longOnes = Array.from({ length: 5 }, (_, i) => `{d}${'l'.repeat(60_000)}${i}`);
    const long = tableOf(longOnes.map((key) => [key, '']));
    expect(ask('CLUSTER GETKEYSINSLOT 11298 5', clusterOf(), long)).toMatch(/^-ERR it is refused/);
    expect(ask('CLUSTER GETKEYSINSLOT 11298 4', clusterOf(), long)).toHaveLength(4);
  });

  it('are answered, or refused, as a cluster of Redis does', () => {
    expect(play(['READONLY', 'READWRITE', 'ASKING', 'CLUSTER NOPE', 'CLUSTER KEYSLOT'])).toBe(
      `${'+OK\r\n'.repeat(3)}-ERR unknown subcommand 'NOPE'. Try CLUSTER HELP.\r\n-ERR wrong number of arguments for 'cluster|keyslot' command\r\n`,
    );
    expect(ask('CLUSTER MYSHARDID')).toMatch(/^[0-9a-f]{40}$/);
    expect(ask('CLUSTER HELP')).toContain('KEYSLOT key');
    const none = playBinaryPieces([req('ASKING')].map(bytesOf), keeping(tableOf([])), respProtocol);
    expect(none.output.toString()).toBe('-ERR This instance has cluster support disabled\r\n');
  });
});
