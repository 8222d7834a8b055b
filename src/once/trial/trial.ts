/** What belongs in this folder: etcd as processes on loopback, to try set-once keys and to test them. */
import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { connectEtcd } from '../../etcd/connect.ts';

/** How long a cluster may take to have a leader. */
const START_MS_MAX = 30_000;
const LOOK_MS = 50;
/** What a process has to end by itself. */
const END_MS_MAX = 5_000;
/** Below those that systems give to connections, one of which could take a port until etcd listens on it. */
const PORTS_FROM = 20_000;
const PORTS_TO = 32_000;
const PORT_TRIES_MAX = 1_000;
/** Text of a member that failed, for the message. */
const SAID_CHARS_MAX = 2_000;

/** One member. */
interface TrialMember {
  readonly name: string;
  readonly url: string;
  /** Its process; another one after a restart. */
  readonly child: ChildProcess;
  /** Starts it again with the data that it has. */
  restart(): void;
}

/** A cluster on loopback, with its data in a folder. */
export interface TrialCluster {
  readonly endpoints: readonly string[];
  readonly members: readonly TrialMember[];
  /** Waits until every member answers and follows a leader. @throws GoromdbError SERVER_FAILED. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts members of etcd, which must be installed.
 *
 * @param folder Is empty, and nobody else's.
 * @param flags Further flags of etcd.
 * @param signal Ends the wait for a leader.
 * @throws GoromdbError SERVER_FAILED.
 */
export async function startTrialCluster(
  folder: string,
  count: number,
  flags: readonly string[] = [],
  signal?: AbortSignal,
): Promise<TrialCluster> {
  const ports = await freePorts(2 * count);
  const urlOf = (i: number): string => `http://127.0.0.1:${ports[i]}`;
  const names = Array.from({ length: count }, (_, i) => `e${i + 1}`);
  const cluster = names.map((name, i) => `${name}=${urlOf(count + i)}`).join(',');
  const members = names.map((name, i) =>
    startMember(name, urlOf(i), [
      ...['--name', name, '--data-dir', join(folder, name), '--initial-cluster', cluster],
      ...['--listen-client-urls', urlOf(i), '--advertise-client-urls', urlOf(i)],
      ...['--listen-peer-urls', urlOf(count + i), '--initial-advertise-peer-urls'],
      ...[urlOf(count + i), '--logger', 'zap', '--log-level', 'error', ...flags],
    ]),
  );
  const endpoints = members.map(({ url }) => url);
  const close = async (): Promise<void> => {
    // Its data goes too. A leader that ends by itself first looks for another one.
    await Promise.all(members.map(({ child }) => endProcess(child, 'SIGKILL')));
  };
  const ready = async (): Promise<void> => {
    try {
      await Promise.all(members.map((member) => memberReady(member, signal)));
    } catch (error) {
      await close();
      throw error;
    }
  };
  await ready();
  return { endpoints, members, ready, close };
}

/**
 * Starts a process that the system kills when this one is gone, however it ended: by `setpriv`, where there
 * is one that can do it. The process has the pid of the child.
 *
 * @param log The descriptor that its output goes to. Default: its errors can be read, and all else is lost.
 */
export function spawnMortal(command: string, args: readonly string[], log?: number): ChildProcess {
  const script = `mortal='setpriv --pdeathsig KILL'
    $mortal true 2>/dev/null || mortal=
    exec $mortal "$@"`;
  return spawn('sh', ['-c', script, 'sh', command, ...args], {
    stdio: ['ignore', log ?? 'ignore', log ?? 'pipe'],
  });
}

/** Ends a process; what does not end by itself is killed. */
export async function endProcess(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  // One that is stopped takes the signal only then.
  child.kill('SIGCONT');
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
  await ended;
  clearTimeout(timer);
}

interface Member extends TrialMember {
  child: ChildProcess;
  said: string;
}

function startMember(name: string, url: string, args: readonly string[]): Member {
  const start = (): ChildProcess => {
    const child = spawnMortal('etcd', args);
    child.on('error', (error) => {
      member.said = messageOf(error);
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      member.said = (member.said + text).slice(-SAID_CHARS_MAX);
    });
    return child;
  };
  const member: Member = {
    ...{ name, url, said: '' },
    child: undefined as unknown as ChildProcess,
    restart: () => {
      member.child = start();
    },
  };
  member.restart();
  return member;
}

async function memberReady(member: TrialMember, signal?: AbortSignal): Promise<void> {
  const etcd = connectEtcd({ endpoints: [member.url] });
  const untilMs = performance.now() + START_MS_MAX;
  try {
    for (;;) {
      const status = await etcd.status(member.url);
      if (signal?.aborted === true) return;
      if (status.kind === 'done' && status.value.leaderId !== '0') return;
      const { child } = member;
      const hasEnded =
        child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
      if (hasEnded || performance.now() > untilMs) throw notReady(member as Member, hasEnded);
      await delay(LOOK_MS);
    }
  } finally {
    etcd.close();
  }
}

function notReady({ name, said }: Member, hasEnded: boolean): GoromdbError {
  const what = hasEnded ? 'ended' : `had no leader after ${START_MS_MAX} ms`;
  const advice = /not found|No such file/.test(said) ? '; install etcd (Debian: etcd-server)' : '';
  return new GoromdbError('SERVER_FAILED', `etcd ${name} ${what}${advice}: ${said.trim()}`);
}

/**
 * Ports in a row that are free now: whoever takes one before etcd does makes etcd fail, and say so.
 *
 * @throws GoromdbError SERVER_FAILED.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
    const first = PORTS_FROM + Math.floor(Math.random() * (PORTS_TO - PORTS_FROM - count));
    const ports = Array.from({ length: count }, (_, i) => first + i);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return ports;
  }
  const range = `127.0.0.1:${PORTS_FROM} to ${PORTS_TO}`;
  throw new GoromdbError(
    'SERVER_FAILED',
    `${range}: expected ${count} free ports in a row, found none in ${PORT_TRIES_MAX} tries`,
  );
}

function isFree(port: number): Promise<boolean> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
