import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/common/log.ts';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { countersOf, createCounterMemory } from '../../src/protocol/counters.ts';
import { detectingProtocol } from '../../src/protocol/detect/detect.ts';
import {
  ANSWER,
  FORWARD_VERSION,
  HELLO,
  HELLO_MAGIC,
  HIT,
  WELCOME,
} from '../../src/protocol/forward/frames.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { createForwarding } from '../../src/server/forwarding.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { createMeterMemory, meterOf } from '../../src/server/metering/metering.ts';
import { ThreadServer } from '../../src/server/thread-server.ts';
import {
  epochOf,
  shardFunctionOf,
  type TcpAddress,
  type Topology,
} from '../../src/shards/shards.ts';
import { slotsOf } from '../../src/shards/slots.ts';
import { Asker } from '../../src/storage/lookup-counts.ts';
import { wireBytesOf } from '../../src/storage/record.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePorts } from '../support/free-ports.ts';
import { RawClient } from '../support/raw-client.ts';
import { tableOf } from '../support/storages.ts';

const KEYS = Array.from({ length: 20 }, (_, i) => `key:${i}`);

/** A protocol of a user's own, which knows nothing of logins: each line is answered with its length. */
const LENGTHS: Protocol = {
  name: 'lengths',
  createSession: () => ({
    state: 'open',
    receive(input, start, end, reply) {
      const at = input.subarray(start, end).indexOf('\n');
      if (at === -1) return 0;
      reply.text(`${at}\n`);
      return at + 1;
    },
    close() {},
  }),
};

/** A node of a topology, with logins. */
async function start(topology: Topology, shard: number, protocol: Protocol): Promise<void> {
  const userFile = join(temporaryFolder(), 'users');
  writeFileSync(userFile, 'ann:secret\n');
  const access = { userFile };
  const { shardOf } = shardFunctionOf(topology);
  const own = KEYS.filter((key) => shardOf(Buffer.from(key), 0, key.length) === shard);
  const handler = createSimpleHandler(tableOf(own.map((key) => [key, `value of ${key}`])));
  const counterMemory = createCounterMemory(1);
  const asker = new Asker();
  const forwarding = createForwarding({
    ...{ place: { topology, shard, node: 0 }, local: handler, protocol, access, thread: 0 },
    ...{ counters: countersOf(counterMemory, 0), logger: silentLogger },
  });
  const server = new ThreadServer({
    ...{ ...forwarding, handler, counterMemory, thread: 0, asker, access, sessions: {} },
    meter: meterOf(createMeterMemory(1), 0, asker),
    facts: { version: '1.6.99', threads: 1, startedAt: 0, connectionsMax: 10 },
    limits: DEFAULT_LIMITS,
    shutdown: undefined,
    onReport: () => {},
    logger: silentLogger,
  });
  onTestFinished(() => server.close(0));
  await server.listen(topology.shards[shard].nodes[0].address);
}

const LOGIN = 'set x 0 0 10\r\nann secret\r\n';

/** Two shards of a node each, on ports that nobody has. */
async function twoShards(): Promise<Topology & { readonly addresses: readonly TcpAddress[] }> {
  const ports = await freePorts(2);
  const addresses = ports.map((port) => ({ kind: 'tcp', host: '127.0.0.1', port }) as const);
  const shards = addresses.map((address, idx) => ({
    ...{ name: `shard${idx}`, idx, slots: slotsOf(idx, 2), nodes: [{ address }] },
  }));
  return { hash: 'slots', shards, addresses };
}

test('a node with a protocol of its own and logins answers other nodes, and its clients log in', async () => {
  const topology = await twoShards();
  const { addresses } = topology;
  await start(topology, 0, detectingProtocol);
  await start(topology, 1, LENGTHS);

  const asking = await RawClient.connect(addresses[0]);
  expect(await asking.ask(LOGIN)).toBe('STORED\r\n');
  for (let i = 0; i < 20; i++) {
    const value = `value of key:${i}`;
    const reply = await asking.ask(`get key:${i}\r\n`, 'END\r\n');
    expect(reply).toBe(`VALUE key:${i} 0 ${value.length}\r\n${value}\r\nEND\r\n`);
  }

  const client = await RawClient.connect(addresses[1]);
  expect(await client.ask('four\n')).toBe('CLIENT_ERROR unauthenticated\r\n');
  expect(await client.ask(LOGIN)).toBe('STORED\r\n');
  expect(await client.ask('four\n', '\n')).toBe('4\n');
});

test('a node passes on nothing that another node asks for: nothing goes round in circles', async () => {
  const topology = await twoShards();
  await start(topology, 0, detectingProtocol);
  await start(topology, 1, detectingProtocol);
  const hello = Buffer.alloc(HELLO.bytes);
  HELLO_MAGIC.copy(hello);
  hello[HELLO.version] = FORWARD_VERSION;
  hello.writeUInt16BE(1, HELLO.shard);
  hello.write(epochOf(topology), HELLO.epoch, 'hex');
  hello.writeUInt16BE('ann secret'.length, HELLO.loginBytes);
  const requests = KEYS.map((key) => Buffer.from(`\0${String.fromCharCode(key.length)}${key}`));
  const socket = net.connect(topology.addresses[1].port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(Buffer.concat([hello, Buffer.from('ann secret'), ...requests]));
  const { shardOf } = shardFunctionOf(topology);
  let answers = Buffer.alloc(0);
  const found: string[] = [];
  for (let at = WELCOME.bytes; found.length < KEYS.length; ) {
    while (answers.length < at + ANSWER.bytes) {
      answers = Buffer.concat([answers, ...(await once(socket, 'data'))]);
    }
    const key = KEYS[found.length];
    const isHit = answers[at + ANSWER.status] === HIT;
    found.push(`${key} ${isHit ? 'hit' : 'miss'}`);
    const valueBytes = answers.readUInt32BE(at + ANSWER.valueBytes);
    at += ANSWER.bytes + (isHit ? wireBytesOf(key.length, 0, valueBytes) : 0);
  }
  expect(found).toEqual(
    KEYS.map((key) => `${key} ${shardOf(Buffer.from(key), 0, key.length) === 1 ? 'hit' : 'miss'}`),
  );
  const client = await RawClient.connect(topology.addresses[1]);
  await client.ask(LOGIN);
  const stats = await client.ask('stats\r\n', 'END\r\n');
  expect(stats).toContain('STAT forwarded_out 0\r\n');
  expect(stats).toContain(`STAT forwarded_in ${KEYS.length}\r\n`);
});
