import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Forwarder } from '../../src/forward/forwarder.ts';
import type { OwnerNode } from '../../src/forward/owner.ts';
import { Questions } from '../../src/forward/questions.ts';
import type { ViewSource } from '../../src/handler/handler.ts';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { type Counters, countersOf, createCounterMemory } from '../../src/protocol/counters.ts';
import { forwardProtocol } from '../../src/protocol/forward/forward.ts';
import {
  ANSWER,
  FORWARD_VERSION,
  HELLO,
  HELLO_MAGIC,
  LOGIN_BYTES_MAX,
  WELCOME,
  WELCOME_STATUS,
} from '../../src/protocol/forward/frames.ts';
import type { OwnPart } from '../../src/protocol/forward/session.ts';
import type { SessionContext } from '../../src/protocol/protocol.ts';
import { createServer } from '../../src/server/create-server.ts';
import { emptyStorage } from '../../src/storage/empty.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { BinaryConversation } from '../support/binary.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { tableOf } from '../support/storages.ts';

const EPOCH = '0123456789abcdef';
const RAW = Buffer.from([0, 255, 10, 13, 32]);
const LONG = Buffer.alloc(65_535, 'k');
const LARGE = Buffer.alloc(3_000_000, 'v');
const TABLE = tableOf([
  ['a', 'value of a', 7],
  ['empty', ''],
  ['large', LARGE],
  [RAW, 'raw'],
  [LONG, 'long'],
]);

interface Owner {
  readonly port: number;
  readonly refused: string[];
}

/** How a server spreads keys. */
interface Spread {
  readonly epoch: string;
  readonly shard: number;
  readonly shardOf: OwnPart['shardOf'];
  readonly addressesOf: OwnPart['addressesOf'];
}

const SPREAD: Spread = {
  ...{ epoch: EPOCH, shard: 1 },
  shardOf: () => 1,
  addressesOf: () => Buffer.from('nowhere'),
};

function partOf(local: ViewSource, spread: Partial<Spread> = {}, heard: string[] = []): OwnPart {
  return {
    ...{ local, ...SPREAD, ...spread },
    onRefused: (why) => void heard.push(why),
    onOtherEpoch: (epoch) => void heard.push(`other epoch ${epoch}`),
  };
}

/** A server of shard 1. */
async function owner(storage: Storage = TABLE, spread: Partial<Spread> = {}): Promise<Owner> {
  const refused: string[] = [];
  const protocol = forwardProtocol(partOf(createSimpleHandler(storage), spread, refused));
  const server = createServer({ storage: TABLE, protocol });
  onTestFinished(() => server.close(0));
  const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  return { port: address.kind === 'tcp' ? address.port : 0, refused };
}

/** A server that does with a connection what the test wants. */
async function impostor(serve: (socket: net.Socket) => void): Promise<Owner> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    serve(socket);
  });
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { port: (server.address() as net.AddressInfo).port, refused: [] };
}

/** Answers as a real server does, in the hands of the test. */
function welcomed(answer: (socket: net.Socket, replies: Buffer) => void) {
  return impostor((socket) => {
    const local = createSimpleHandler({ ...TABLE, get: TABLE.get.bind(TABLE), close: () => {} });
    const conversation = new BinaryConversation(local, forwardProtocol(partOf(local)));
    let sent = 0;
    socket.on('data', (chunk) => {
      conversation.give(chunk);
      const { output } = conversation.played();
      answer(socket, output.subarray(sent));
      sent = output.length;
    });
  });
}

function nodeAt(name: string, port: number): OwnerNode {
  const open = (onRead: (chunk: Buffer, length: number) => void): net.Socket => {
    const buffer = Buffer.alloc(1000);
    const callback = (length: number): boolean => {
      onRead(buffer, length);
      return true;
    };
    return net.connect({ port, host: '127.0.0.1', onread: { buffer, callback } });
  };
  return { name, open };
}

function forwarderTo(...owners: readonly Owner[]) {
  const changes: string[] = [];
  const counters: Counters = countersOf(createCounterMemory(1), 0);
  const nodes = owners.map(({ port }, i) => nodeAt(`node${i}`, port));
  const forwarder = new Forwarder({
    ...{ shards: [{ name: 'shard1', idx: 1, nodes }], epoch: EPOCH, login: () => '', counters },
    onChange: (node, answers, why) => void changes.push(`${node} ${answers} ${why}`),
    onOtherEpoch: (node, epoch) => void changes.push(`${node} has epoch ${epoch}`),
    nodesFrom: (addresses) => {
      if (!/^[\d ]+$/.test(addresses)) return undefined;
      return addresses.split(' ').map((port) => nodeAt(`named ${port}`, Number(port)));
    },
  });
  onTestFinished(() => forwarder.close());
  /** The values or the faults of keys that are asked for together. */
  const ask = async (...keys: readonly (string | Buffer)[]): Promise<readonly string[]> => {
    const questions = new Questions();
    for (const key of keys.map((key) => Buffer.from(key))) questions.add(key, 0, key.length, 1);
    await new Promise<void>((resolve) => {
      questions.await(resolve);
      forwarder.ask(questions);
    });
    return keys.map((_, i) => {
      const fault = questions.faultOf(i);
      const entry = fault === undefined ? questions.entry(i) : undefined;
      if (fault !== undefined) return `fault: ${fault}`;
      if (entry === undefined) return 'miss';
      return entry.buffer.toString('latin1', entry.valueStart, entry.valueEnd);
    });
  };
  return { ask, changes, counters };
}

describe('a server that owns a shard', () => {
  test('is asked for keys and values of any size', async () => {
    const { ask, counters } = forwarderTo(await owner());
    const keys = ['a', 'none', RAW, 'empty', LONG, 'large', ''];
    const values = ['value of a', 'miss', 'raw', '', 'long', LARGE.toString(), 'miss'];
    expect(await ask(...keys)).toEqual(values);
    const both = await Promise.all([ask(...keys), ask('a'), ask(...keys)]);
    expect(both).toEqual([values, ['value of a'], values]);
    expect(counters.forwarded_out).toBe(22);
  });

  test('that is dead is a fault at once, and the other one is asked if there is one', async () => {
    const { ask } = forwarderTo({ port: 1, refused: [] });
    expect(await ask('a')).toEqual([
      expect.stringMatching(/^fault: shard1 does not answer: node0/),
    ]);
    const { ask: askBoth, changes } = forwarderTo({ port: 1, refused: [] }, await owner());
    expect(await askBoth('a', 'none')).toEqual(['value of a', 'miss']);
    expect(changes).toEqual([expect.stringMatching(/^node0 false .*ECONNREFUSED/)]);
  });

  test('that is silent is a fault within the time, or the other one is asked', async () => {
    const silent = await impostor((socket) => void socket.resume());
    const { ask } = forwarderTo(silent);
    expect(await ask('a')).toEqual([expect.stringMatching(/^fault: .*has not answered in time/)]);
    const { ask: askBoth } = forwarderTo(silent, await owner());
    // On a machine that is far too busy, the first time has an error.
    await expect
      .poll(() => askBoth('a', 'none'), { timeout: PATIENCE_MS })
      .toEqual(['value of a', 'miss']);
  });

  test('that is slow is waited for while its answer comes', async () => {
    const slow = await welcomed(async (socket, replies) => {
      for (const byte of replies) {
        socket.write(Buffer.of(byte));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    });
    expect(await forwarderTo(slow).ask('a')).toEqual(['value of a']);
  });

  test('that falls silent with a part of the answers keeps what it has answered', async () => {
    let count = 0;
    const halting = await welcomed((socket, replies) => {
      if (count++ === 0) socket.write(replies.subarray(0, 15 + 24 + 20 + 3));
    });
    const { ask } = forwarderTo(halting);
    const [first, second] = await ask('a', 'a');
    expect(first).toBe('value of a');
    expect(second).toMatch(/^fault: shard1 does not answer/);
  });

  test('is asked again when it was dead', async () => {
    let isDead = true;
    const real = await owner();
    const flaky = await impostor((socket) => {
      if (isDead) socket.destroy();
      else socket.pipe(net.connect(real.port)).pipe(socket);
    });
    const { ask, changes } = forwarderTo(flaky);
    expect((await ask('a'))[0]).toMatch(/^fault/);
    isDead = false;
    await expect.poll(() => ask('a'), { timeout: PATIENCE_MS }).toEqual(['value of a']);
    expect(changes.at(-1)).toBe('node0 true it answers');
  });

  test.each([
    ['another program', 'ERROR\r\n', /is its -shards missing/],
    ['bytes of no sense', Buffer.alloc(100, 0xf7), /is its -shards missing/],
  ])('that is %s is a fault', async (_, said, message) => {
    const { ask } = forwarderTo(await impostor((socket) => void socket.write(said)));
    expect(await ask('a')).toEqual([expect.stringMatching(message)]);
  });

  test.each([
    ['the status', 0],
    ['the length of the key', 3],
    ['the number of the request', 15],
    ['the key', 24],
  ])('that answers with a wrong byte in %s is left, and never believed', async (_, at) => {
    const garbling = await welcomed((socket, replies) => {
      const damaged = Buffer.from(replies);
      const start = damaged[0] === 0xf7 ? 15 : 0;
      damaged[start + at] ^= 1;
      socket.write(damaged);
    });
    const { ask } = forwarderTo(garbling);
    expect(await ask('a')).toEqual([
      expect.stringMatching(/^fault: .*node0: it (answers|does not)/),
    ]);
    const { ask: askBoth } = forwarderTo(garbling, await owner());
    expect(await askBoth('a', 'none')).toEqual(['value of a', 'miss']);
  });

  test('of another shard, and one without data, is refused', async () => {
    const { ask } = forwarderTo(await owner(TABLE, { shard: 2 }));
    expect(await ask('a')).toEqual([expect.stringMatching(/the shard with idx 2, expected 1/)]);
    const { ask: askEmpty } = forwarderTo(await owner(emptyStorage));
    expect(await askEmpty('a')).toEqual([expect.stringMatching(/it has no data yet/)]);
  });
});

describe('a server with other shards', () => {
  const OTHER = 'fedcba9876543210';
  /** Keys that begin with `z` have left it. */
  const without = (port: number | string): Partial<Spread> => ({
    ...{ epoch: OTHER, shard: 0 },
    shardOf: (key, start) => (key[start] === 0x7a ? 5 : 0),
    addressesOf: (shard) => Buffer.from(shard === 5 ? `${port}` : 'wrong'),
  });

  test('answers what is its own, and names whom to ask for the rest', async () => {
    const next = await owner(tableOf([['zoo', 'value of zoo']]), {
      ...{ epoch: OTHER, shard: 5, shardOf: () => 5 },
    });
    const split = await owner(TABLE, without(`1 ${next.port}`));
    const { ask, changes, counters } = forwarderTo(split);
    const keys = ['a', 'zoo', 'none', 'zebra', RAW, 'large', 'zoo'];
    const values = ['value of a', 'value of zoo', 'miss', 'miss', 'raw', LARGE.toString()];
    expect(await ask(...keys)).toEqual([...values, 'value of zoo']);
    expect(counters.forward_redirects).toBe(3);
    expect(changes).toContain(`node0 has epoch ${OTHER}`);
    expect(split.refused).toEqual([`other epoch ${EPOCH}`]);
  });

  test('that send a key in a circle are a fault', async () => {
    const ports: number[] = [];
    const sendsTo = (i: number): Promise<Owner> =>
      owner(TABLE, { ...without(''), addressesOf: () => Buffer.from(`${ports[i]}`) });
    const [one, two] = await Promise.all([sendsTo(1), sendsTo(0)]);
    ports.push(one.port, two.port);
    const { ask, counters } = forwarderTo(one);
    expect(await ask('zoo', 'a')).toEqual([
      expect.stringMatching(/^fault: 4 servers send the key on, to \d+: give all nodes the same/),
      'value of a',
    ]);
    expect(counters.forward_redirects).toBe(4);
  });

  test.each([
    ['no addresses', 'no addresses'],
    ['nobody', ''],
    ['as much as it may', 'x'.repeat(4096)],
    ['the end of a reply', '\r\nEND\r\n'],
  ])('that names %s as servers is a fault, and its connection lives', async (_, addresses) => {
    const { ask, changes } = forwarderTo(await owner(TABLE, without(addresses)));
    const [fault, own] = await ask('zoo', 'a');
    expect(fault).toMatch(/^fault: a server sends the key on, to [ -~]*: give all nodes the same/);
    expect(own).toBe('value of a');
    expect(changes).toEqual([`node0 has epoch ${OTHER}`]);
  });

  test('that names more than a server may is left', async () => {
    const { ask } = forwarderTo(await owner(TABLE, without('x'.repeat(4097))));
    expect(await ask('zoo')).toEqual([expect.stringMatching(/does not answer as a server/)]);
  });

  test('is asked by a server of before 0.4, which does not know such, and refuses', async () => {
    const old = await welcomed((socket, replies) => {
      const refusal = Buffer.from(replies.subarray(0, WELCOME.bytes));
      refusal[WELCOME.status] = WELCOME_STATUS.otherEpoch;
      refusal.write(OTHER, WELCOME.epoch, 'hex');
      socket.end(refusal);
    });
    const { ask } = forwarderTo(old);
    expect(await ask('a')).toEqual([expect.stringMatching(/epoch fedcba.*: upgrade it, or give/)]);
  });
});

test('200 shards are asked at once', async () => {
  const owners = await Promise.all(
    Array.from({ length: 200 }, (_, i) => owner(tableOf([['key', `of ${i}`]]), { shard: i })),
  );
  const shards = owners.map(({ port }, idx) => {
    const open = (onRead: (chunk: Buffer, length: number) => void): net.Socket => {
      return net.connect(port).on('data', (chunk) => onRead(chunk, chunk.length));
    };
    return { name: `shard${idx}`, idx, nodes: [{ name: `node${idx}`, open }] };
  });
  const counters = countersOf(createCounterMemory(1), 0);
  const forwarder = new Forwarder({
    shards,
    epoch: EPOCH,
    login: () => '',
    counters,
    onChange: () => {},
    onOtherEpoch: () => {},
    nodesFrom: () => undefined,
  });
  onTestFinished(() => forwarder.close());
  const questions = new Questions();
  for (let i = 0; i < 200; i++) questions.add(Buffer.from('key'), 0, 3, (i * 7) % 200);
  await new Promise<void>((resolve) => {
    questions.await(resolve);
    forwarder.ask(questions);
  });
  for (let i = 0; i < 200; i++) {
    const { buffer, valueStart, valueEnd } = questions.entry(i)!;
    expect(buffer.toString('latin1', valueStart, valueEnd)).toBe(`of ${(i * 7) % 200}`);
  }
});

test.each([
  ['the same', EPOCH, 15 + 3 * 24 + 20 + 13],
  ['another', 'fedcba9876543210', 15 + 3 * 24 + 20 + 13 + 'nowhere'.length],
])('what a server of %s epoch asks is answered alike however it arrives', (_, epoch, bytes) => {
  const hello = Buffer.from(`f6676601000001${epoch}0000`, 'hex');
  const requests = ['a', 'none', 'empty'].map((key) =>
    Buffer.from(`\0${'\x01\x04\x05'[['a', 'none', 'empty'].indexOf(key)]}${key}`),
  );
  const play = (pieceBytes: number): Buffer => {
    const local = createSimpleHandler({
      ...TABLE,
      get: TABLE.get.bind(TABLE),
      batch: TABLE.batch,
      close: () => {},
    });
    const place = partOf(local, { shardOf: (key, start) => (key[start] === 0x6e ? 2 : 1) });
    const conversation = new BinaryConversation(local, forwardProtocol(place));
    const input = Buffer.concat([hello, ...requests]);
    for (let at = 0; at < input.length; at += pieceBytes) {
      conversation.give(input.subarray(at, at + pieceBytes));
    }
    return conversation.played().output;
  };
  const whole = play(1000);
  expect(whole.length).toBe(bytes);
  // Of the hit before, the head of a miss has nothing.
  const miss = whole.subarray(15 + 24 + 20, 15 + 24 + 20 + 24);
  expect(miss.readUInt32BE(ANSWER.flags)).toBe(0);
  expect(miss.readBigUInt64BE(ANSWER.cas)).toBe(0n);
  for (const piece of [1, 2, 7]) expect(play(piece).equals(whole)).toBe(true);
});

test.each([
  ['a wrong login', 'ann wrong', 3],
  ['no login', '', 3],
  ['the right login', 'ann secret', 0],
])('a server with %s is let in, or is not', (_, login, status) => {
  const hello = Buffer.from(
    `f6676601000001${EPOCH}00${login.length.toString(16).padStart(2, '0')}`,
    'hex',
  );
  const local = createSimpleHandler({ ...TABLE, get: TABLE.get.bind(TABLE), close: () => {} });
  const authenticate: SessionContext['authenticate'] = (user, password) =>
    user === 'ann' && password === 'secret';
  const conversation = new BinaryConversation(local, forwardProtocol(partOf(local)), {
    authenticate,
  });
  conversation.give(Buffer.concat([hello, Buffer.from(login)]));
  const { output, state } = conversation.played();
  expect(output[4]).toBe(status);
  expect(state).toBe(status === 0 ? 'open' : 'close');
});

test('a hello whose login is too long is refused before any of it is read', async () => {
  const { port, refused } = await owner();
  const socket = net.connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const hello = Buffer.alloc(HELLO.bytes);
  HELLO_MAGIC.copy(hello);
  hello[HELLO.version] = FORWARD_VERSION;
  hello.writeUInt16BE(1, HELLO.shard);
  hello.write(EPOCH, HELLO.epoch, 'hex');
  hello.writeUInt16BE(LOGIN_BYTES_MAX + 1, HELLO.loginBytes);
  socket.write(hello);
  const [welcome] = (await once(socket, 'data')) as [Buffer];
  expect(welcome[WELCOME.status]).toBe(WELCOME_STATUS.badLogin);
  expect(refused).toEqual(['its login is not accepted']);
});
