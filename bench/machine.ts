import { execFileSync, spawnSync } from 'node:child_process';
import os from 'node:os';

/** The programs that goromdb is compared with: names to look up in `PATH`, or paths. */
export interface Programs {
  readonly memcached: string;
  readonly redis: string | undefined;
  /** The program in Go that goromdb began as. */
  readonly goGoromdb: string | undefined;
}

/** Which processors the server and the load generator run on. */
export interface Places {
  /** As `taskset -c` takes them; undefined: where the system puts them. */
  readonly server: string | undefined;
  readonly load: string | undefined;
  /** Threads of the load generator. */
  readonly loadThreads: number;
}

/** Puts the server on the first processors and the load on the others, where there are enough. */
export function placesFor(serverThreads: number): Places {
  const cpus = os.availableParallelism();
  const canPin = cpus > serverThreads && isThere('taskset', '--version');
  if (!canPin) return { server: undefined, load: undefined, loadThreads: 1 };
  return {
    server: range(0, serverThreads - 1),
    load: range(serverThreads, cpus - 1),
    loadThreads: Math.min(4, cpus - serverThreads),
  };
}

function range(first: number, last: number): string {
  return first === last ? String(first) : `${first}-${last}`;
}

/** A command line that runs on some processors only. */
export function pinned(cpus: string | undefined, command: readonly string[]): readonly string[] {
  return cpus === undefined ? command : ['taskset', '-c', cpus, ...command];
}

export function isThere(program: string, versionFlag: string): boolean {
  return spawnSync(program, [versionFlag], { stdio: 'ignore' }).error === undefined;
}

/** The machine and the versions of all that takes part, a line each. */
export function describeMachine({ memcached, redis, goGoromdb }: Programs): readonly string[] {
  const cpus = os.cpus();
  const versionOf = (program: string): string =>
    execFileSync(program, ['--version'], { encoding: 'utf8' }).trim();
  return [
    `${cpus.length} × ${cpus[0]?.model ?? 'unknown processor'}, ${(os.totalmem() / 2 ** 30).toFixed(0)} GiB, ${os.type()} ${os.release()}`,
    `Node ${process.versions.node}, V8 ${process.versions.v8}`,
    versionOf(memcached),
    ...(redis === undefined ? [] : [versionOf(redis).split(' sha=')[0]]),
    ...(goGoromdb === undefined ? [] : [`goromdb (Go): ${goGoromdb}`]),
    `load average at the start: ${os
      .loadavg()
      .map((load) => load.toFixed(2))
      .join(', ')}`,
  ];
}
