import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Peers } from '../../src/peers/peers.ts';
import { freePort } from '../support/free-ports.ts';
import { waitFor } from '../support/patience.ts';

/** A node that answers each PING so; undefined: not at all. */
interface FakeNode {
  readonly port: number;
  readonly server: Server;
  readonly sockets: Set<Socket>;
  answer: string | undefined;
  /** What it answers when it is asked for its shard. */
  shard: string | undefined;
}

const SHARD = `$40\r\n${'5'.repeat(40)}\r\n`;

async function fakeNode(answer: string | undefined, port = 0): Promise<FakeNode> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const answer = String(chunk).includes('MYSHARDID') ? node.shard : node.answer;
      if (answer !== undefined) socket.write(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => end(node));
  const node = {
    port: (server.address() as AddressInfo).port,
    server,
    sockets,
    answer,
    shard: SHARD,
  };
  return node;
}

/** As a process that is killed. */
function end({ server, sockets }: FakeNode): void {
  server.close();
  for (const socket of sockets) socket.destroy();
}

function watch(...nodes: readonly FakeNode[]): readonly string[] {
  const changes: string[] = [];
  const peers = new Peers(
    nodes.map(({ port }) => ({ host: '127.0.0.1', port, shardId: '5'.repeat(40) })),
    {
      onChange: (i, answers, why) => changes.push(`${i} ${answers}: ${why}`),
      onOtherShard: (i) => changes.push(`${i} has another shard`),
    },
  );
  onTestFinished(() => peers.close());
  return changes;
}

test('a node that ends is noticed, and so is the one in its place', async () => {
  const stays = await fakeNode('+PONG\r\n');
  // A port that nobody else takes meanwhile.
  const ends = await fakeNode('+PONG\r\n', await freePort());
  const changes = watch(stays, ends);
  await waitFor(() => expect(ends.sockets.size).toBe(1));
  end(ends);
  // Refused, or reset in the middle of the first question.
  const hasEnded = expect.stringMatching(/^1 false: .*ECONN(?:REFUSED|RESET)/);
  await waitFor(() => expect(changes).toEqual([hasEnded]));
  await fakeNode('+PONG\r\n', ends.port);
  await waitFor(() => expect(changes[1]).toBe('1 true: it answers'));
  expect(changes).toHaveLength(2);
});

test('a node that accepts and says nothing does not answer', async () => {
  const changes = watch(await fakeNode(undefined));
  await waitFor(() => expect(changes).toEqual(['0 false: no answer within 1 s']));
});

test('a node without data, and another program, do not count as answers', async () => {
  const nodes = [await fakeNode('-LOADING no data\r\n'), await fakeNode('ERROR\r\n')];
  const changes = watch(...nodes);
  await waitFor(() => expect(changes).toHaveLength(2));
  expect(changes).toContain('0 false: it answers "-LOADING no data"');
  expect(changes).toContain('1 false: it answers "ERROR"');
  nodes[0].answer = '-NOAUTH Authentication required.\r\n';
  await waitFor(() => expect(changes).toContain('0 true: it answers'));
});

test('a node that answers and closes each connection at once is asked once a round', async () => {
  const full = await fakeNode('ERROR Too many open connections\r\n');
  let connections = 0;
  full.server.on('connection', (socket) => {
    connections++;
    socket.once('data', () => socket.end());
  });
  const other = await fakeNode('+PONG\r\n');
  let rounds = 0;
  other.server.on('connection', (socket) => socket.on('data', () => rounds++));
  const changes = watch(full, other);
  await waitFor(() => expect(rounds).toBeGreaterThan(4));
  expect(connections).toBeLessThan(rounds + 3);
  expect(changes).toEqual(['0 false: it answers "ERROR Too many open connections"']);
});

test('a node that closes its connections and goes on accepting answers all the time', async () => {
  const node = await fakeNode('+PONG\r\n');
  const changes = watch(node);
  for (let times = 1; times <= 3; times++) {
    await waitFor(() => expect(node.sockets.size).toBe(times));
    const [socket] = [...node.sockets].slice(-1);
    await waitFor(() => expect(socket.bytesWritten).toBeGreaterThan(0));
    socket.end();
  }
  await waitFor(() => expect(node.sockets.size).toBe(4));
  expect(changes).toEqual([]);
});

test('a node with another shard is told of, once for each connection', async () => {
  const nodes = await Promise.all([fakeNode('+PONG\r\n'), fakeNode('-LOADING no data\r\n')]);
  nodes[0].shard = `$40\r\n${'6'.repeat(40)}\r\n`;
  nodes[1].shard = '-ERR unknown command\r\n';
  const changes = watch(...nodes);
  await waitFor(() => expect(changes).toHaveLength(2));
  expect(changes).toContain('0 has another shard');
  nodes[1].answer = '+PONG\r\n';
  await waitFor(() => expect(changes).toContain('1 has another shard'));
  expect(changes).toHaveLength(4);
  for (const socket of nodes[0].sockets) socket.end();
  await waitFor(() => expect(changes).toHaveLength(5));
  expect(changes[4]).toBe('0 has another shard');
});

test('a node that says PONG and not which shard it has does not answer', async () => {
  const node = await fakeNode('+PONG\r\n');
  node.shard = undefined;
  const changes = watch(node);
  await waitFor(() => expect(changes).toEqual(['0 false: no answer within 1 s']));
});
