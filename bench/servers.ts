import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { join, resolve } from 'node:path';
import type { GeneratedData } from '../src/load/data-set.ts';
import { fillServer } from '../src/load/fill.ts';
import { parseAddress } from '../src/server/address.ts';
import { drop, makeJson } from './data.ts';
import { isThere, pinned } from './machine.ts';

/** How long a server may take to listen, or to load its data. */
const READY_TIMEOUT_MS = 300_000;

/** Connections that the servers are told to allow. */
const CONNECTIONS_MAX = 12_000;

/** A server under load. */
export interface Running {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** What it has logged. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

/** How to start a server with the generated data set in it. */
export interface StartOptions {
  readonly data: GeneratedData;
  readonly threads: number;
  readonly cpus: string | undefined;
  /** An empty folder for its files. */
  readonly folder: string;
}

const children = new Set<ChildProcess>();

/** Ends the servers however this process ends. */
export function endServersAtExit(): void {
  process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL');
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
}

const GOROMDB = resolve('bin/goromdb.js');

/** @throws Error that says how to install memcached when it is not there. */
export function requireMemcached(): void {
  if (isThere('memcached', '--version')) return;
  throw new Error(
    'memcached is not installed: apt-get install memcached (or brew install memcached)',
  );
}

/**
 * Starts goromdb and waits until it serves.
 *
 * @param from `drop`: the data set, which is made when there is no file yet; `slot`: what the folder
 *   keeps from an earlier start.
 */
export async function startGoromdb(
  options: StartOptions,
  from: 'drop' | 'slot' = 'drop',
): Promise<Running> {
  const file = join(options.folder, 'data.json');
  if (from === 'drop' && !existsSync(`${file}.md5`)) {
    makeJson(`${file}.made`, options.data);
    await drop(`${file}.made`, file);
  }
  const port = await freePort();
  const running = launch('goromdb', port, options.cpus, [
    ...[process.execPath, GOROMDB, '-file', file, '-addr', `127.0.0.1:${port}`],
    ...['-threads', String(options.threads), '-conn-limit', String(CONNECTIONS_MAX)],
    ...['-memory', 'max'],
  ]);
  await until(running, () => running.log().includes(' serves from slot '));
  return running;
}

/** Starts memcached and stores the data set in it. */
export async function startMemcached(options: StartOptions): Promise<Running> {
  const { data, threads, cpus } = options;
  const port = await freePort();
  const megabytes = Math.ceil((data.keys * (data.valueBytes + 100) * 1.5) / 2 ** 20) + 64;
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const running = launch('memcached', port, cpus, [
    ...['memcached', ...user, '-l', '127.0.0.1', '-p', String(port), '-t', String(threads)],
    ...['-m', String(megabytes), '-c', String(CONNECTIONS_MAX), '-I', '2m'],
  ]);
  await until(running, () => answers(port));
  await fillServer(parseAddress(`127.0.0.1:${port}`), data);
  return running;
}

function launch(
  name: string,
  port: number,
  cpus: string | undefined,
  command: readonly string[],
): Running {
  const [program, ...args] = pinned(cpus, command);
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  children.add(child);
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const ended = new Promise<void>((done) =>
    child.once('close', () => {
      children.delete(child);
      done();
    }),
  );
  child.on('error', (error) => {
    log += error.message;
  });
  return {
    ...{ name, port, pid: child.pid!, log: () => log },
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

async function until(running: Running, condition: () => boolean | Promise<boolean>): Promise<void> {
  const endsAt = performance.now() + READY_TIMEOUT_MS;
  while (!(await condition())) {
    if (performance.now() > endsAt) {
      await running.stop();
      throw new Error(`${running.name} is not ready; it said: ${running.log()}`);
    }
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = net.createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => done(port));
    });
  });
}
