import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseAddress } from '../src/common/address.ts';
import { type GeneratedData, generatedKey } from '../src/traffic/data-set.ts';
import { fillServer } from '../src/traffic/fill.ts';
import { fillRedis } from '../src/traffic/redis-fill.ts';
import { drop, makeJson, md5Of } from './data.ts';
import { isThere, type Programs } from './machine.ts';
import { answers, freePort, has, launch, type Running } from './processes.ts';

/** Connections that the servers may have. */
const CONNECTIONS_MAX = 12_000;

/** How to start a server with the generated data set in it. */
export interface StartOptions {
  readonly data: GeneratedData;
  readonly threads: number;
  readonly cpus: string | undefined;
  /** A folder for the files of all servers, empty at first. */
  readonly folder: string;
}

const GOROMDB = resolve('bin/goromdb.js');

/** @throws Error that says how to install a program that cannot be run. */
export function requirePrograms({ memcached, redis, goGoromdb }: Programs): void {
  if (!isThere(memcached, '--version')) {
    const advice =
      'apt-get install memcached (or brew install memcached), or give --memcached PATH';
    throw new Error(`cannot run ${memcached}: ${advice}`);
  }
  if (redis !== undefined && !isThere(redis, '--version')) {
    throw new Error(`cannot run ${redis}: apt-get install redis-server, and give --redis its path`);
  }
  if (goGoromdb !== undefined && !existsSync(goGoromdb)) {
    throw new Error(`there is no ${goGoromdb}: give --go-goromdb the path of the built program`);
  }
}

/**
 * Starts goromdb and waits until it serves.
 *
 * @param from `drop`: the data set, which is made when there is no file yet; `slot`: what the folder
 *   keeps from an earlier start.
 * @param more Another name for it, and more flags.
 */
export async function startGoromdb(
  options: StartOptions,
  from: 'drop' | 'slot' = 'drop',
  { name = 'goromdb', flags = [] }: { name?: string; flags?: readonly string[] } = {},
): Promise<Running> {
  const file = fileOf(options.folder, name);
  if (from === 'drop' && !existsSync(`${file}.md5`)) await dropData(file, options.data);
  const port = await freePort();
  const command = [
    ...[process.execPath, GOROMDB, '-file', file, '-addr', `127.0.0.1:${port}`],
    ...['-threads', String(options.threads), '-conn-limit', String(CONNECTIONS_MAX)],
    ...flags,
  ];
  return launch({ name, port, cpus: options.cpus, command, hasMeta: true }, (running) =>
    running.log().includes(' serves from slot '),
  );
}

/** The file that a server of this name waits for, in a folder of its own. */
export function fileOf(folder: string, server: string): string {
  const own = join(folder, server.replaceAll(' ', ''));
  mkdirSync(own, { recursive: true });
  return join(own, 'data.json');
}

async function dropData(file: string, data: GeneratedData): Promise<void> {
  makeJson(`${file}.made`, data);
  drop(`${file}.made`, file, await md5Of(`${file}.made`));
}

/** Starts memcached and stores the data set in it. */
export async function startMemcached(program: string, options: StartOptions): Promise<Running> {
  const { data, threads, cpus } = options;
  const port = await freePort();
  const megabytes = Math.ceil((data.keys * (data.valueBytes + 100) * 1.5) / 2 ** 20) + 64;
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const command = [
    ...[program, ...user, '-l', '127.0.0.1', '-p', String(port), '-t', String(threads)],
    ...['-m', String(megabytes), '-c', String(CONNECTIONS_MAX), '-I', '2m'],
  ];
  const running = await launch({ name: 'memcached', port, cpus, command, hasMeta: true }, () =>
    answers(port),
  );
  return filled(running, () => fillServer(parseAddress(`127.0.0.1:${port}`), data));
}

/** Starts Redis, which writes nothing to the disk, and stores the data set in it. */
export async function startRedis(program: string, options: StartOptions): Promise<Running> {
  const { data, cpus, folder } = options;
  const port = await freePort();
  const command = [
    ...[program, '--bind', '127.0.0.1', '--port', String(port), '--dir', folder],
    ...['--save', '', '--appendonly', 'no', '--maxclients', String(CONNECTIONS_MAX)],
  ];
  const flags = ['-command', 'redis'];
  const running = await launch({ name: 'Redis', port, cpus, command, flags }, () => answers(port));
  return filled(running, () => fillRedis(parseAddress(`127.0.0.1:${port}`), data));
}

/** Starts the program in Go, and waits until it serves the same drop as goromdb. */
export async function startGoGoromdb(program: string, options: StartOptions): Promise<Running> {
  const { data, threads, cpus, folder } = options;
  const name = 'goromdb (Go)';
  const file = fileOf(folder, name);
  await dropData(file, data);
  const port = await freePort();
  const command = [
    ...[resolve(program), '-addr', `127.0.0.1:${port}`, '-storage', 'json'],
    ...['-file', file, '-basedir', join(file, '..')],
  ];
  const env = { GOMAXPROCS: String(threads) };
  const last = generatedKey(data.keys - 1);
  return launch({ name, port, cpus, command, env }, () => has(port, last));
}

async function filled(running: Running, fill: () => Promise<void>): Promise<Running> {
  try {
    await fill();
    return running;
  } catch (error) {
    await running.stop();
    throw error;
  }
}
