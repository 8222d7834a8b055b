import { readFileSync } from 'node:fs';
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { VALUE_BYTES_MAX } from '../../src/once/limits.ts';
import { startTrialCluster } from '../../src/once/trial/trial.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

const CONNECTIONS = 4_200;

interface Node {
  readonly url: string;
  readonly httpPort: number;
  readonly wirePort: number;
  /** The most memory that it has had, in MB. */
  peakMb(): number;
}

async function started(): Promise<Node> {
  const cluster = await startTrialCluster(temporaryFolder(), 1);
  onTestFinished(() => cluster.close());
  const at = '127.0.0.1:0';
  const args = ['once', '-etcd', cluster.endpoints[0], '-http', at, '-addr', at];
  const program = new GoromdbProcess(args);
  const [, httpPort] = await program.says(/answers HTTP on 127.0.0.1:(\d+)/);
  const [, wirePort] = await program.says(/listens on 127.0.0.1:(\d+)/);
  const peakMb = (): number => {
    const status = readFileSync(`/proc/${program.child.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
  };
  const url = `http://127.0.0.1:${httpPort}`;
  return { url, httpPort: Number(httpPort), wirePort: Number(wirePort), peakMb };
}

async function connected(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
  return socket;
}

/** Sends, and waits until the server has read it, or has cut the connection. */
async function sent(socket: net.Socket, bytes: Buffer): Promise<void> {
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off('close', done);
      resolve();
    };
    socket.once('close', done);
    socket.write(bytes, done);
  });
}

/** Both ways to ask are answered. */
async function expectService({ url, wirePort }: Node): Promise<void> {
  expect((await fetch(`${url}/key/none`)).status).toBe(404);
  const socket = await connected(wirePort);
  socket.write('get none\r\n');
  const [said] = await new Promise<Buffer[]>((resolve) => {
    socket.once('data', (bytes: Buffer) => resolve([bytes]));
    socket.once('close', () => resolve([]));
  });
  expect(String(said)).toBe('END\r\n');
}

test('a body in chunks of one byte takes the memory of its bytes', async () => {
  const node = await started();
  const before = node.peakMb();
  const socket = await connected(node.httpPort);
  socket.write('POST /key HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n');
  const chunks = Buffer.from('1\r\nx\r\n'.repeat(100_000));
  for (let i = 0; i < 20; i++) await sent(socket, chunks);
  await expectService(node);
  // It took 600 before.
  expect(node.peakMb() - before).toBeLessThan(200);
});

test('whoever only connects, or begins a request and says no more, locks nobody out', async () => {
  const node = await started();
  for (let i = 0; i < CONNECTIONS; i++) {
    const socket = await connected(node.httpPort);
    socket.write('GET /key/k HTTP/1.1\r\nX: ');
  }
  for (let i = 0; i < CONNECTIONS / 3; i++) {
    const socket = await connected(node.wirePort);
    socket.write('set k 0 0 100\r\nx');
  }
  await expectService(node);
});

test('whoever fills the memory with beginnings is cut, and nobody else', async () => {
  const node = await started();
  const text = Buffer.from(`set k 0 0 ${VALUE_BYTES_MAX}\r\n${'x'.repeat(VALUE_BYTES_MAX - 9)}`);
  const json = Buffer.from(
    `POST /key HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n${'x'.repeat(7_999_999)}`,
  );
  for (let i = 0; i < 300; i++) await sent(await connected(node.wirePort), text);
  await expectService(node);
  for (let i = 0; i < 40; i++) await sent(await connected(node.httpPort), json);
  await expectService(node);
  expect(node.peakMb()).toBeLessThan(1_200);
});

test('clients that never read take bounded memory, and others are answered', async () => {
  const node = await started();
  const value = new Uint8Array(VALUE_BYTES_MAX);
  for (let i = 0; i < 30; i++) {
    const init = { method: 'PUT', body: value, headers: { 'if-none-match': '*' } };
    expect((await fetch(`${node.url}/key/large${i}`, init)).status).toBe(201);
  }
  const names = Array.from({ length: 30 }, (_, i) => `large${i}`);
  const gets = names.map((name) => `GET /key/${name} HTTP/1.1\r\nHost: a\r\n\r\n`).join('');
  const multiGet = `get ${names.join(' ')}\r\n`.repeat(100);
  for (let i = 0; i < 100; i++) {
    for (const [port, text] of [
      [node.httpPort, gets],
      [node.wirePort, multiGet],
    ] as const) {
      const socket = await connected(port);
      socket.pause();
      socket.write(text);
    }
  }
  await expectService(node);
  expect(node.peakMb()).toBeLessThan(1_200);
});
