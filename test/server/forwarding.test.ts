import { expect, onTestFinished, test } from 'vitest';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { countersOf, createCounterMemory } from '../../src/protocol/counters.ts';
import { detectingProtocol } from '../../src/protocol/detect/detect.ts';
import { FORWARD_VERSION, HELLO, HELLO_MAGIC } from '../../src/protocol/forward/frames.ts';
import { createServer } from '../../src/server/create-server.ts';
import { createForwarding } from '../../src/server/forwarding.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { RawClient } from '../support/raw-client.ts';
import { tableOf } from '../support/storages.ts';

const tcp = (port: number) => ({ kind: 'tcp', host: '127.0.0.1', port }) as const;

test('whoever asks for keys with ever other words is logged once a minute for each kind', async () => {
  const logger = collectingLogger();
  const local = createSimpleHandler(tableOf([['a', 'b']]));
  const shard = { name: 's0', idx: 0, slots: { first: 0, last: 16_383 } };
  const topology = { hash: 'slots', shards: [{ ...shard, nodes: [{ address: tcp(1) }] }] } as const;
  const { protocol } = createForwarding({
    ...{ place: { topology, shard: 0, node: 0 }, local, protocol: detectingProtocol },
    ...{ access: {}, counters: countersOf(createCounterMemory(1), 0), thread: 0, logger },
  });
  const server = createServer({ handler: local, protocol });
  onTestFinished(() => server.close(0));
  const address = await server.listen(tcp(0));
  for (let i = 0; i < 20; i++) {
    const hello = Buffer.alloc(HELLO.bytes);
    HELLO_MAGIC.copy(hello);
    hello[HELLO.version] = i < 10 ? FORWARD_VERSION : i;
    hello[HELLO.epoch] = i;
    const client = await RawClient.connect(address);
    client.socket.end(hello);
    await client.readToEnd();
  }
  expect(logger.lines).toEqual([
    expect.stringMatching(/^warn a server at 127\.0\.0\.1, which asks for keys, has other shards/),
    expect.stringMatching(
      /^warn a server that asks for keys is refused: it speaks version 10, .*; it is 127\.0\.0\.1, and others/,
    ),
  ]);
});
