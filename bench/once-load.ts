/** Loads that `goromdb bench` does not make: creates, and gets over HTTP. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { connectEtcd } from '../src/etcd/connect.ts';
import type { Etcd, Transaction } from '../src/etcd/etcd.ts';

/** Ticks of /proc/PID/stat a second. */
const TICKS_A_SECOND = 100;

/** Does one request after the other until it is to stop. @returns How many keys one request has. */
export type Creator = (number: number) => Promise<number>;

let created = 0;

/** Creates with so many clients side by side. @returns Keys a second. */
export async function createsPerSecond(
  creator: Creator,
  clients: number,
  seconds: number,
): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  let keys = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < endMs) {
      // Not in one expression: `+=` would take the sum from before the wait.
      const count = await creator(created++);
      keys += count;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return (keys * 1_000) / (performance.now() - startMs);
}

const agent = new http.Agent({ keepAlive: true });

/** Creates by a node, `count` keys in one request. */
export function byNode(port: number, count: number): Creator {
  return async (number) => {
    const wish = (i: number) => ({ key: `made:${number}:${i}`, value: 'x'.repeat(100) });
    const wishes = Array.from({ length: count }, (_, i) => wish(i));
    const path = count === 1 ? '/key' : '/keys';
    const status = await post(port, path, JSON.stringify(count === 1 ? wishes[0] : wishes));
    if (status !== (count === 1 ? 201 : 207)) throw new Error(`POST ${path}: ${status}`);
    return count;
  };
}

/** Creates by memcached's `add`, each client on a connection of its own. */
export function byAdd(port: number): Creator {
  const idle: net.Socket[] = [];
  return async (number) => {
    const socket = idle.pop() ?? net.connect({ port, host: '127.0.0.1', noDelay: true });
    socket.write(`add made:${number}:0 0 0 100\r\n${'x'.repeat(100)}\r\n`);
    const [answer] = await once(socket, 'data');
    if (String(answer) !== 'STORED\r\n') throw new Error(`add: ${answer}`);
    idle.push(socket);
    return 1;
  };
}

/** Creates by a bare client of etcd's gateway, each key with an outcome of its own. */
export function byEtcd(etcd: Etcd, count: number): Creator {
  return byTransaction(etcd, count, (all) => {
    if (all.length === 1) return all[0];
    return { compare: [], steps: all.map((transaction) => ({ transaction })) };
  });
}

/** Likewise, but all keys of a request, or none of them. */
export function byEtcdAtOnce(etcd: Etcd, count: number): Creator {
  return byTransaction(etcd, count, (all) => {
    const steps = all.flatMap((one) => one.steps);
    return { compare: all.flatMap((one) => one.compare), steps };
  });
}

function byTransaction(
  etcd: Etcd,
  count: number,
  joined: (all: readonly Transaction[]) => Transaction,
): Creator {
  return async (number) => {
    const all = Array.from({ length: count }, (_, i) => {
      const key = Buffer.from(`/bare/made:${number}:${i}`);
      const value = Buffer.from('x'.repeat(106));
      return { compare: [{ key, createRevision: 0 }], steps: [{ put: { key, value } }] };
    });
    const outcome = await etcd.transact(joined(all));
    if (outcome.kind !== 'done') throw new Error(outcome.why);
    return count;
  };
}

export function bareClient(url: string): Etcd {
  return connectEtcd({ endpoints: [url] });
}

export function post(port: number, path: string, body: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path, method: 'POST', agent };
    const request = http.request(options, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject).end(body);
  });
}

/** What a server did over HTTP. */
export interface HttpMeasured {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

/**
 * Asks for one path over and over by so many connections. It counts bytes, since a client that reads
 * headers would take more of a processor than the server: all answers have the length of the first. It never
 * sleeps: a server on the same machine has to wake whoever sleeps, which took 5 µs of an answer's 31, and is the
 * more often the slower the server is (2026-11-29).
 */
export async function loadHttp(
  { port, pid }: { readonly port: number; readonly pid: number },
  path: string,
  connections: number,
  seconds: number,
): Promise<HttpMeasured> {
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  let answers = 0;
  const sockets = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = net.connect(port, '127.0.0.1');
      await new Promise((resolve) => socket.once('connect', resolve));
      socket.write(request);
      const first = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
      if (!first.toString('latin1').startsWith('HTTP/1.1 200 ')) throw new Error(String(first));
      let bytes = 0;
      socket.on('data', (piece: Buffer) => {
        bytes += piece.length;
        if (bytes < first.length) return;
        bytes -= first.length;
        answers++;
        socket.write(request);
      });
      return socket;
    }),
  );
  let isOver = false;
  const spin = (): void => void (isOver || setImmediate(spin));
  try {
    spin();
    for (const socket of sockets) socket.write(request);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const [fromMs, fromAnswers, fromCpu] = [performance.now(), answers, cpuSeconds(pid)];
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    const count = answers - fromAnswers;
    return {
      perSecond: (count * 1_000) / (performance.now() - fromMs),
      cpuMicros: ((cpuSeconds(pid) - fromCpu) * 1e6) / count,
    };
  } finally {
    isOver = true;
    for (const socket of sockets) socket.destroy();
  }
}

/** Processor time of a process so far (proc(5), fields 14 and 15 of `stat`). */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

export function residentBytes(pid: number): number {
  const [, kilobytes] = /^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) * 1024;
}
