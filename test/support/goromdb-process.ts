import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type Address, parseAddress } from '../../src/common/address.ts';
import { PATIENCE_MS } from './patience.ts';

const BIN = fileURLToPath(new URL('../../bin/goromdb.js', import.meta.url));

/** The program as a user runs it, in a process of its own. */
export class GoromdbProcess {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  /** Whether all that it said was read: some of it may come after its end. */
  #isSilent = false;
  #wake: (() => void)[] = [];

  /**
   * @param program What to run. Default: the program itself.
   * @param input What standard input has. Default: nothing.
   * @param within A command that runs the one behind it, in its own process, such as `env`.
   */
  constructor(
    args: readonly string[],
    program = BIN,
    input?: string,
    within: readonly string[] = [],
  ) {
    const stdin = input === undefined ? 'ignore' : 'pipe';
    const [command, ...rest] = [...within, process.execPath, program, ...args];
    this.child = spawn(command, rest, { stdio: [stdin, 'pipe', 'pipe'] });
    // It may end before it has read anything.
    this.child.stdin?.on('error', () => {}).end(input);
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#wakeAll();
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#wakeAll();
    });
    this.child.on('close', () => {
      this.#isSilent = true;
      this.#wakeAll();
    });
    onTestFinished(() => void this.kill('SIGKILL'));
  }

  /** Waits for something that the program says on either stream. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const end = performance.now() + PATIENCE_MS;
    const timer = setTimeout(() => this.#wakeAll(), PATIENCE_MS + 1);
    try {
      for (;;) {
        const match = pattern.exec(this.stderr) ?? pattern.exec(this.stdout);
        if (match !== null) return match;
        if (this.#isSilent) throw new Error(`ended without saying ${pattern}: ${this.stderr}`);
        if (performance.now() > end) throw new Error(`does not say ${pattern}: ${this.stderr}`);
        await new Promise<void>((resolve) => this.#wake.push(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until it listens, and returns where. */
  async address(): Promise<Address> {
    return parseAddress((await this.says(/listens on ([^;\s]+)/))[1]);
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Sends a signal, and waits for the end unless the signal is SIGHUP. */
  async kill(signal: NodeJS.Signals): Promise<number | null> {
    if (!this.hasEnded) this.child.kill(signal);
    return signal === 'SIGHUP' ? null : this.exit();
  }

  /** Waits for its end, and for all that it said. */
  async exit(): Promise<number | null> {
    if (!this.#isSilent) await new Promise((resolve) => this.child.once('close', resolve));
    return this.child.exitCode;
  }

  #wakeAll(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}
