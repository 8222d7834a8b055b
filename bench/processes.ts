import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import { pinned } from './machine.ts';

/** How long a server may take to listen, or to load its data. */
const READY_TIMEOUT_MS = 300_000;

/** A server under load. */
export interface Running {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** The processes whose processor time counts. Default: `pid`. */
  readonly pids?: readonly number[];
  /** Flags of `goromdb bench` that this server needs. */
  readonly flags: readonly string[];
  /** Whether it has memcached's meta commands. */
  readonly hasMeta: boolean;
  /** What it has logged. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

/** A program to start. */
interface Launch {
  readonly name: string;
  readonly port: number;
  /** Processors as `taskset` takes them; undefined: all. */
  readonly cpus: string | undefined;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  readonly hasMeta?: boolean;
}

const children = new Set<ChildProcess>();

/** Ends the servers however this process ends. */
export function endServersAtExit(): void {
  process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL');
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
}

/** Starts a server, and waits until it is ready. It is stopped when that fails. */
export async function launch(
  { name, port, cpus, command, env = {}, flags = [], hasMeta = false }: Launch,
  isReady: (running: Running) => boolean | Promise<boolean>,
): Promise<Running> {
  const [program, ...args] = pinned(cpus, command);
  const child: ChildProcess = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  children.add(child);
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  }
  let hasEnded = false;
  const ended = new Promise<void>((done) =>
    child.once('close', () => {
      children.delete(child);
      hasEnded = true;
      done();
    }),
  );
  child.on('error', (error) => {
    log += error.message;
  });
  const running: Running = {
    ...{ name, port, pid: child.pid!, flags, hasMeta, log: () => log },
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
  const endsAt = performance.now() + READY_TIMEOUT_MS;
  while (!(await isReady(running))) {
    if (hasEnded || performance.now() > endsAt) {
      await running.stop();
      throw new Error(`${name} is not ready; it said: ${log}`);
    }
    await new Promise((wake) => setTimeout(wake, 20));
  }
  return running;
}

/** Whether somebody listens. */
export function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Whether a memcached server has a value for a key. */
export function has(port: number, key: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => socket.write(`get ${key}\r\n`));
    socket.once('data', (data: Buffer) => done(data.toString('latin1').startsWith('VALUE ')));
    socket.once('data', () => socket.destroy());
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}

export function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = net.createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => done(port));
    });
  });
}
