import { once } from 'node:events';
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Forwarder } from '../../src/forward/forwarder.ts';
import { Questions } from '../../src/forward/questions.ts';
import { countersOf, createCounterMemory } from '../../src/protocol/counters.ts';
import { ANSWER, HIT, WELCOME, WELCOME_MAGIC } from '../../src/protocol/forward/frames.ts';

const EPOCH = '0123456789abcdef';

test('an owner that sends its answer byte by byte, and never ends, is a fault', async () => {
  const server = net.createServer((socket) => {
    socket.on('error', () => {}).resume();
    const welcome = Buffer.alloc(WELCOME.bytes);
    WELCOME_MAGIC.copy(welcome);
    welcome[WELCOME.version] = 1;
    welcome.write(EPOCH, WELCOME.epoch, 'hex');
    socket.write(welcome);
    const answer = Buffer.alloc(100_000);
    answer[ANSWER.status] = HIT;
    answer.writeUInt16BE(1, ANSWER.keyBytes);
    answer.writeUInt32BE(90_000, ANSWER.valueBytes);
    let at = 0;
    const timer = setInterval(() => void socket.write(answer.subarray(at, ++at)), 20);
    socket.on('close', () => clearInterval(timer));
    onTestFinished(() => void socket.destroy());
  });
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;
  const open = (onRead: (chunk: Buffer, length: number) => void): net.Socket =>
    net.connect(port, '127.0.0.1').on('data', (chunk) => onRead(chunk, chunk.length));
  const forwarder = new Forwarder({
    shards: [{ name: 'shard0', idx: 0, nodes: [{ name: 'node', open }] }],
    ...{ epoch: EPOCH, login: () => '', nodesFrom: () => undefined },
    ...{ onChange: () => {}, onOtherEpoch: () => {} },
    counters: countersOf(createCounterMemory(1), 0),
  });
  onTestFinished(() => forwarder.close());
  const questions = new Questions();
  questions.add(Buffer.from('a'), 0, 1, 0);
  await new Promise<void>((resolve) => {
    questions.await(resolve);
    forwarder.ask(questions);
  });
  expect(questions.faultOf(0)).toMatch(
    /^shard0 does not answer: node: it has not answered in time/,
  );
});
