import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { type CreateServerOptions, createServer } from '../../src/server/create-server.ts';
import type { ThreadServer } from '../../src/server/thread-server.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { md5 } from '../support/drop.ts';
import { tableOf } from '../support/storages.ts';
import { TextClient } from '../support/text-client.ts';

const PROGRAMS = fileURLToPath(new URL('programs/', import.meta.url));
const UNPACKED = '/opt/goromdb-test-clients/usr';
const INSTALL = fileURLToPath(new URL('install.sh', import.meta.url));

/** How long a client may take for everything; a hung one fails its test and not the run. */
const CLIENT_TIMEOUT_MS = 600_000;

/** What `version` is answered. */
export { PROTOCOL_VERSION } from '../../src/common/version.ts';

/** What every client reads. The keys of a multi-get of 100 come on top. */
export const RECORDS: Readonly<Record<string, Buffer>> = {
  plain: Buffer.from('value'),
  empty: Buffer.alloc(0),
  large: Buffer.alloc(300_000, 'large '),
  unicode: Buffer.from('Grüße, 世界'),
  // Every byte there is, and what a careless client would take for the end of a reply.
  binary: Buffer.concat([
    Buffer.from(Array.from({ length: 256 }, (_, at) => at)),
    Buffer.from('\r\nEND\r\n'),
  ]),
};

export const MANY_KEYS = Array.from({ length: 100 }, (_, at) => `k${at}`);

/** The multi-get asks for k0 to k99; every tenth is not there. */
export const MANY: Readonly<Record<string, string>> = Object.fromEntries(
  MANY_KEYS.filter((_, at) => at % 10 !== 0).map((key) => [key, `value of ${key}`]),
);

/** What "plain" is after a swap. */
export const SWAPPED = 'another value';

function storageWith(plain: Buffer): Storage {
  return tableOf([...Object.entries({ ...RECORDS, plain }), ...Object.entries(MANY)]);
}

/** A refused write: what the client made of it, and what a `get` of "plain" then gave. */
interface Write {
  readonly name: string;
  readonly answer: unknown;
  readonly after: string | null;
}

/** What a program prints, as one line of JSON. Values are MD5 sums, and null where none came. */
export interface Results {
  readonly values: Record<string, string | null>;
  readonly many: Record<string, string>;
  readonly writes: readonly Write[];
  /** What only some clients can do. */
  readonly [extra: string]: unknown;
}

/** A server, and a connection that watches it. */
export class Served {
  readonly port: number;
  readonly #watcher: TextClient;
  readonly #swap: (storage: Storage) => void;

  private constructor(port: number, watcher: TextClient, swap: (storage: Storage) => void) {
    this.port = port;
    this.#watcher = watcher;
    this.#swap = swap;
  }

  static async start(options: CreateServerOptions = {}): Promise<Served> {
    const handler = createSimpleHandler(storageWith(RECORDS.plain));
    const server = createServer({ handler, ...options }) as ThreadServer;
    onTestFinished(() => server.close(0));
    const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
    if (address.kind !== 'tcp') throw new Error('expected a TCP address');
    const watcher = await TextClient.connect(address);
    onTestFinished(() => watcher.close());
    return new Served(address.port, watcher, (storage) => {
      handler.swap(storage);
      server.noteSwap();
      server.noteSwapEverywhere();
    });
  }

  /** Puts other data into service, as a drop does: see `SWAPPED`. */
  swap(): void {
    this.#swap(storageWith(Buffer.from(SWAPPED)));
  }

  stats(): Promise<Record<string, string>> {
    return this.#watcher.stats();
  }

  /** How many connections the clients have made; all of them must be closed by now. */
  async connectionsMade(): Promise<number> {
    const open = async (): Promise<string> => (await this.stats()).curr_connections;
    await expect.poll(open).toBe('1');
    return Number((await this.stats()).total_connections) - 1;
  }
}

/** Fails with the command that installs what is missing: a client that is not there is not tested. */
export function requirePackages(...packages: readonly string[]): void {
  const form = '--showformat=$' + '{Package} $' + '{db:Status-Status} $' + '{Version}\n';
  const found = spawnSync('dpkg-query', ['--show', form, ...packages], { encoding: 'utf8' });
  const installed = found.error === undefined ? found.stdout.split('\n') : [];
  const missing = packages.filter(
    (name) => !installed.some((line) => line.startsWith(`${name} installed `)),
  );
  if (missing.length === 0) return;
  const command = /^apt-get(?:.*\\\n)*.*/m.exec(readFileSync(INSTALL, 'utf8'))?.[0];
  throw new Error(`not installed: ${missing.join(', ')}. Run:\n${command}`);
}

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

interface RunOptions {
  /** What it reads on its standard input. */
  readonly input?: string;
  /** What to add to the environment. */
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
  readonly encoding?: 'utf8' | 'latin1';
}

/** Runs a tool to its end, whatever it ends with. */
export async function run(
  command: string,
  args: readonly string[],
  { input = '', env = {}, timeoutMs = CLIENT_TIMEOUT_MS, encoding = 'utf8' }: RunOptions = {},
): Promise<Output> {
  try {
    const options = { timeout: timeoutMs, env: { ...process.env, ...env }, encoding };
    const running = promisify(execFile)(command, args, options);
    // It may end before it has read anything.
    running.child.stdin?.on('error', () => {}).end(input);
    return { ...(await running), code: 0 };
  } catch (error) {
    const failed = error as Partial<Output> & { code?: unknown; killed?: boolean; message: string };
    // No exit status: it did not start, or did not end in time.
    if (typeof failed.code !== 'number') throw error;
    return { stdout: failed.stdout ?? '', stderr: failed.stderr ?? '', code: failed.code };
  }
}

/** The path of a client program. */
export function program(name: string): string {
  return PROGRAMS + name;
}

/** Runs a client program, which is told the port, and returns what it found. */
export async function runProgram(command: string, args: readonly string[]): Promise<Results> {
  const { stdout, stderr, code } = await run(command, args);
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout) as Results;
}

/**
 * Runs a client program that says `swap` on a line of its own when the data is to be replaced under it,
 * and goes on when it reads a line.
 */
export async function runThroughSwap(
  served: Served,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Results> {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: CLIENT_TIMEOUT_MS,
  });
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const ended = once(child, 'close');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line !== 'swap') continue;
    served.swap();
    child.stdin.write('swapped\n');
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stderr}${lines.join('\n')}`);
  expect(lines.slice(0, -1)).toEqual(['swap']);
  return JSON.parse(lines[lines.length - 1]) as Results;
}

/** A folder of what install.sh has unpacked of Debian 13. @throws Error when it is not there. */
export function unpacked(name: string): string {
  const folder = join(UNPACKED, name);
  if (!existsSync(folder)) throw new Error(`not installed: ${folder}. Run:\nsh ${INSTALL}`);
  return folder;
}

/** Expects every value, the miss, the multi-get, and a right value after each refused write. */
export function expectRightValues(results: Results): void {
  const sums = Object.entries(RECORDS).map(([key, value]) => [key, md5(value)]);
  expect(results.values).toEqual({ ...Object.fromEntries(sums), none: null });
  const many = Object.entries(MANY).map(([key, value]) => [key, md5(value)]);
  expect(results.many).toEqual(Object.fromEntries(many));
  const right = md5(RECORDS.plain);
  expect(results.writes.filter(({ after }) => after !== right)).toEqual([]);
}

/** So many keys there are. */
export const ITEMS = Object.keys(RECORDS).length + Object.keys(MANY).length;

/** The same answer to each of these writes. */
export function each(names: readonly string[], answer: unknown): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, answer]));
}

/** What the client made of each refused write, by the write's name. */
export function answersOf(results: Results): Record<string, unknown> {
  return Object.fromEntries(results.writes.map(({ name, answer }) => [name, answer]));
}
