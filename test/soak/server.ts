import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Vitals, vitalsOf } from '../support/vitals.ts';

const BIN = join(process.cwd(), 'bin', 'goromdb.js');
const MORTAL_THREADS = join(process.cwd(), 'test', 'soak', 'mortal-threads.mjs');

/** How a serving thread may die. */
export const DEATHS = ['throw', 'exit', 'lost', 'hang'] as const;
export type Death = (typeof DEATHS)[number];

/** What a process held at one moment, and how long it had run. */
export interface Sample extends Vitals {
  readonly threads: number;
  readonly ageMs: number;
}

/** The program in a process of its own, with its log. */
export class SoakServer {
  readonly #child: ChildProcess;
  readonly #onLine: (line: string) => void;
  readonly #startedAtMs = performance.now();
  readonly hasEnded: Promise<string>;
  isEnding = false;
  #rest = '';

  /** @param onLine Is given each line of the log. */
  constructor(args: readonly string[], onLine: (line: string) => void) {
    this.#onLine = onLine;
    this.#child = spawn(process.execPath, ['--import', MORTAL_THREADS, BIN, ...args], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.hasEnded = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve(`${signal ?? code}`));
    });
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.isEnding = true;
    this.#child.kill(signal);
    await this.hasEnded;
  }

  /** Has it read its configuration again. */
  hangUp(): void {
    this.#child.kill('SIGHUP');
  }

  /** Lets a serving thread die. */
  endThread(thread: number, how: Death): void {
    this.#child.send({ thread, how });
  }

  /** @returns undefined when it has just ended. */
  sample(): Sample | undefined {
    const { pid } = this.#child;
    try {
      const vitals = vitalsOf(pid!);
      if (vitals === undefined) return undefined;
      const threads = readdirSync(`/proc/${pid}/task`).length;
      return { ...vitals, threads, ageMs: performance.now() - this.#startedAtMs };
    } catch {
      return undefined;
    }
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#onLine(line);
  }
}

/** Runs one of the program's commands to its end. */
export async function runCommand(
  args: readonly string[],
): Promise<{ readonly status: number | null; readonly stderr: string }> {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { status, stderr };
}
