import { createServer, type Server } from 'node:net';

/** Below those that the system gives to connections, and those of `freePorts` of src/once/trial. */
const PORTS_FROM = 10_000;
const PORTS_TO = 20_000;
/** So many ports belong to one process of tests, and as many that are TWIN higher. */
const BLOCK_PORTS = 100;
/** examples/cluster/shards-file.sh puts the port of a Redis Cluster so far above a node's other one. */
const TWIN = 1_000;
const BLOCKS = (PORTS_TO - PORTS_FROM) / (2 * BLOCK_PORTS);
const TRIES_MAX = 10 * BLOCKS;

/** Ports that no other process of tests uses: whoever listens on the first of them has the others. */
interface Block {
  readonly from: number;
  /** The port that is tried next. */
  next: number;
}

let own: Promise<Block> | undefined;

/**
 * Ports in a row that nobody has now, and nobody will soon: shards.toml has to name them before the servers
 * are started, and other suites run beside this one.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  own ??= ownBlock();
  const block = await own;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    if (block.next + count > block.from + BLOCK_PORTS) block.next = block.from + 1;
    const ports = Array.from({ length: count }, (_, i) => block.next + i);
    block.next += count;
    const all = [...ports, ...ports.map((port) => port + TWIN)];
    if ((await Promise.all(all.map(isFree))).every(Boolean)) return ports;
  }
  throw new Error(`expected ${count} free ports behind ${block.from}, found others on them`);
}

export async function freePort(): Promise<number> {
  return (await freePorts(1))[0];
}

async function ownBlock(): Promise<Block> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const number = Math.floor(Math.random() * BLOCKS) * BLOCK_PORTS;
    const from = PORTS_FROM + 2 * (number - (number % TWIN)) + (number % TWIN);
    const holder = await listen(from);
    // It listens until this process ends, and does not keep it from that.
    if (holder !== undefined) {
      holder.unref();
      return { from, next: from + 1 };
    }
  }
  throw new Error(`expected a free port from ${PORTS_FROM} to ${PORTS_TO}, found others on them`);
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server === undefined) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/** @returns undefined where somebody else has it. */
function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
