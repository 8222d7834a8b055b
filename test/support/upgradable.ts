import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { drop } from './drop.ts';
import { temporaryFolder } from './folder.ts';
import { GoromdbProcess } from './goromdb-process.ts';

/** A server that is upgraded: the processes of it that follow one another write to one log. */
export class Upgradable {
  readonly base = temporaryFolder();
  readonly file = join(temporaryFolder(), 'data.json');
  readonly old: GoromdbProcess;

  /** @param program What is run, and again at an upgrade. Default: the program itself. */
  constructor(flags: readonly string[] = [], program?: string) {
    const address = flags.some((flag) => ['-s', '-addr', '-config'].includes(flag))
      ? []
      : ['-addr', '127.0.0.1:0'];
    const place = flags.includes('-config') ? [] : ['-file', this.file, '-basedir', this.base];
    this.old = new GoromdbProcess([...address, ...place, ...flags], program);
    onTestFinished(() => this.#killAll());
  }

  get log(): string {
    return this.old.stderr;
  }

  /** Of all that were started, the newest last. */
  get pids(): readonly number[] {
    return [...this.log.matchAll(/ starts, pid (\d+),/g)].map(([, pid]) => Number(pid));
  }

  address(): Promise<Address> {
    return this.old.address();
  }

  /** Serves a file with one key. */
  async load(v: number): Promise<void> {
    drop(this.file, JSON.stringify({ v: String(v) }));
    await this.says(new RegExp(`generation ${v} serves`));
  }

  /** Waits for something that one of its processes says. */
  async says(pattern: RegExp): Promise<void> {
    await expect.poll(() => this.log, { interval: 5 }).toMatch(pattern);
  }

  /** Runs `goromdb upgrade`. */
  async upgrade(
    base = this.base,
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
    const command = new GoromdbProcess(['upgrade', '-basedir', base]);
    return { code: await command.exit(), stdout: command.stdout, stderr: command.stderr };
  }

  /** Resolves when a process has ended; its log may stay open for the next one. */
  async hasEnded(pid: number): Promise<void> {
    while (isAlive(pid)) await delay(5);
  }

  #killAll(): void {
    for (const pid of this.pids.slice(1)) {
      if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
