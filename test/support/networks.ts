/** Networks of their own for processes, which can be cut: for tests that run as root. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { expect, onTestFinished } from 'vitest';

/** One of several hosts that see each other by a bridge, and nothing else. */
interface Host {
  readonly ip: string;
  /** Runs the command behind it in the network of this host, in its own process. */
  readonly within: readonly string[];
}

export interface Hosts {
  readonly hosts: readonly Host[];
  /** From now on nothing that `from` sends reaches `to`. */
  drop(from: number, to: number): void;
  /** All reach all again. */
  heal(): void;
}

/**
 * Makes hosts. Nothing of them has a name or a file: a network goes with the processes in it, and the one
 * that holds it ends when its input does, so with this process at the latest.
 */
export async function makeHosts(count: number): Promise<Hosts> {
  const [hub, ...holders] = await Promise.all(Array.from({ length: count + 1 }, holdNetwork));
  const hosts = holders.map((pid, i) => ({ ip: `10.77.0.${i + 1}`, within: within(pid) }));
  run(within(hub), 'ip link add br0 type bridge');
  run(within(hub), 'ip link set br0 up');
  for (const [i, host] of hosts.entries()) {
    run(within(hub), `ip link add v${i} type veth peer name eth0 netns ${holders[i]}`);
    run(within(hub), `ip link set v${i} master br0 up`);
    run(host.within, `ip addr add ${host.ip}/24 dev eth0`);
    run(host.within, 'ip link set eth0 up');
    run(host.within, 'ip link set lo up');
  }
  return {
    hosts,
    drop: (from, to) => run(hosts[to].within, `iptables -A INPUT -s ${hosts[from].ip} -j DROP`),
    heal() {
      for (const host of hosts) run(host.within, 'iptables -F');
    },
  };
}

function within(pid: number): readonly string[] {
  return ['nsenter', '-t', String(pid), '-n'];
}

function run(prefix: readonly string[], command: string): void {
  const [program, ...args] = [...prefix, ...command.split(' ')];
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** @returns The pid of a process that has a network of its own. */
async function holdNetwork(): Promise<number> {
  const child: ChildProcess = spawn('unshare', ['-n', 'cat'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  onTestFinished(() => void child.stdin!.end());
  const own = readlinkSync('/proc/self/ns/net');
  await expect.poll(() => readlinkSync(`/proc/${child.pid}/ns/net`)).not.toBe(own);
  return child.pid!;
}
