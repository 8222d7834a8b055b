import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, parseAddress } from '../../src/server/address.ts';
import { drop } from '../support/drop.ts';
import { Random } from '../support/random-bytes.ts';
import { FORMATS, makeFile, type SoakFile } from './files.ts';
import { misbehave } from './hostile.ts';
import { type LoadShare, runClient, sleep } from './load.ts';
import { runCommand, type Sample, SoakServer } from './server.ts';
import { Timeline } from './timeline.ts';

/** Clients that ask all the time. */
const CLIENTS = 6;
/** How long the server may take to do what it must. */
const PATIENCE_MS = 60_000;
/** Of a hundred processes so many map what they serve. */
const MAPPED_PERCENT = 40;
const LINE_FEED = 0x0a;
const SAMPLE_INTERVAL_MS = 1_000;
/** A fault is followed by more of its kind. */
const FAULTS_MAX = 20;

/** What came of a run. */
export interface Outcome {
  readonly faults: readonly string[];
  /** By dialect. */
  readonly requests: Readonly<Record<string, number>>;
  readonly keys: number;
  /** Answers that were checked against a file of another program. */
  readonly foreign: number;
  /** How often each action was done. */
  readonly actions: Readonly<Record<string, number>>;
  /** Of the process of the second half, which lives to the end. */
  readonly samples: readonly Sample[];
}

/** One run: a server, clients that check it, and what is done to it. */
export class Soak {
  readonly #random: Random;
  /** Of its own, so that what is done does not depend on how fast clients are. */
  readonly #loadRandom: Random;
  readonly #folder = mkdtempSync(join(tmpdir(), 'goromdb-soak-'));
  readonly #file = join(this.#folder, 'data.db');
  readonly #base = join(this.#folder, 'base');
  readonly #timeline = new Timeline();
  readonly #faults: string[] = [];
  readonly #actions: Record<string, number> = {};
  readonly #endMs: number;
  readonly #halfMs: number;
  readonly #say: (line: string) => void;
  #samples: Sample[] = [];
  #server!: SoakServer;
  #address: Address = parseAddress('127.0.0.1:0');
  #isAway = true;
  #lives = 0;
  #isOver = false;
  /** What was dropped so far, by MD5. */
  readonly #files = new Map<string, Pick<SoakFile, 'sum' | 'version'>>();
  #version = 0;
  /** The MD5 that the log named last. */
  #serving = '';
  #lines: string[] = [];
  #wake: () => void = () => {};

  constructor(minutes: number, seed: number, say: (line: string) => void) {
    this.#random = new Random(seed);
    this.#loadRandom = new Random(seed + 1);
    this.#endMs = performance.now() + minutes * 60_000;
    this.#halfMs = performance.now() + minutes * 30_000;
    this.#say = say;
  }

  async run(): Promise<Outcome> {
    const share = this.#share();
    try {
      await this.#start();
      await this.#publish(0, false);
      const clients = Array.from({ length: CLIENTS }, () => runClient(share));
      const sampler = setInterval(() => this.#sample(), SAMPLE_INTERVAL_MS);
      await this.#act();
      this.#isOver = true;
      await Promise.all(clients);
      clearInterval(sampler);
      await this.#end('SIGTERM');
    } finally {
      this.#isOver = true;
      await this.#server.kill('SIGKILL');
      rmSync(this.#folder, { recursive: true, force: true });
    }
    const { requests, keys, foreign } = share;
    const [faults, actions, samples] = [this.#faults, this.#actions, this.#samples];
    return { faults, requests, keys, foreign, actions, samples };
  }

  #share(): LoadShare {
    return {
      ...{ timeline: this.#timeline, random: this.#loadRandom, requests: {}, keys: 0, foreign: 0 },
      address: () => this.#address,
      life: () => (this.#isAway ? undefined : this.#lives),
      isOver: () => this.#isOver,
      onFault: (fault) => this.#fault(fault),
    };
  }

  #fault(fault: string): void {
    this.#say(`FAULT: ${fault}`);
    this.#faults.push(fault);
    if (this.#faults.length >= FAULTS_MAX) this.#isOver = true;
  }

  async #act(): Promise<void> {
    let isSecondHalf = false;
    while (performance.now() < this.#endMs && !this.#isOver) {
      if (!isSecondHalf && performance.now() > this.#halfMs) {
        // From here on one process lives, and what it holds must not grow.
        isSecondHalf = true;
        await this.#restart('SIGTERM', 2);
        this.#samples = [];
      }
      const [name, act] = this.#choose(isSecondHalf);
      this.#count(name);
      try {
        await act();
      } catch (error) {
        this.#fault(`${name}: ${String(error)}`);
      }
      await sleep(this.#random.below(400));
    }
  }

  #count(action: string): void {
    this.#actions[action] = (this.#actions[action] ?? 0) + 1;
  }

  #choose(isSecondHalf: boolean): readonly [string, () => Promise<void>] {
    const random = this.#random;
    const dice = random.below(isSecondHalf ? 80 : 100);
    const format = random.below(FORMATS);
    if (dice < 35) return ['publish', () => this.#publish(format, random.below(2) === 0)];
    if (dice < 45) return ['drop a damaged file', () => this.#publishDamaged(format)];
    if (dice < 51) return ['drop with a wrong sum first', () => this.#publishWithWrongSum(format)];
    if (dice < 55) return ['roll back', () => this.#rollBack()];
    if (dice < 58) return ['replace a drop at once', () => this.#replaceDrop(format)];
    if (dice < 80) return ['misbehave', () => misbehave(this.#address, random)];
    if (dice < 85) return ['restart', () => this.#restart('SIGTERM')];
    if (dice < 92) return ['kill', () => this.#restart('SIGKILL')];
    return ['kill in a swap', () => this.#killInSwap(format)];
  }

  async #publish(format: number, isForced: boolean): Promise<void> {
    const file = await this.#make(format);
    if (isForced) writeFileSync(`${this.#file}.force`, file.sum);
    this.#drop(file);
    await this.#outcomeOf(file);
  }

  /**
   * Cut short, with the right sum: it must be refused. A hash of Berkeley DB may end with a page
   * that holds nothing, and is served without it, so more than that is cut off.
   */
  async #publishDamaged(format: number): Promise<void> {
    const { bytes } = await this.#make(format);
    let length = Math.floor((bytes.length * (20 + this.#random.below(60))) / 100);
    // JSON Lines are whole when they end with a line.
    while (bytes[length] === LINE_FEED || bytes[length - 1] === LINE_FEED) length--;
    this.#lines = [];
    drop(this.#file, bytes.subarray(0, length));
    await this.#logged(/rejected /);
  }

  async #publishWithWrongSum(format: number): Promise<void> {
    const file = await this.#make(format);
    this.#lines = [];
    this.#timeline.offered(file.sum, file.version);
    drop(this.#file, file.bytes);
    writeFileSync(`${this.#file}.md5`, `${'0'.repeat(32)}\n`);
    await sleep(this.#random.below(1000));
    writeFileSync(`${this.#file}.md5`, `${file.sum}\n`);
    await this.#outcomeOf(file);
  }

  async #replaceDrop(format: number): Promise<void> {
    const first = await this.#make(0);
    const second = await this.#make(format);
    this.#drop(first);
    await sleep(this.#random.below(300));
    this.#drop(second);
    await this.#outcomeOf(second);
    // The first may have been taken before the second came, which may have been refused.
    if (this.#serving !== first.sum) this.#timeline.withdrawn(first.sum);
  }

  /** Back to what the other slot holds; after a kill in a swap, that may be nothing. */
  async #rollBack(): Promise<void> {
    const sums = ['data00', 'data01'].map((slot) => this.#sumIn(slot));
    const target = this.#files.get(sums.find((sum) => sum !== this.#serving) ?? '');
    if (target === undefined) return;
    this.#lines = [];
    this.#timeline.offered(target.sum, target.version);
    const { status, stderr } = await runCommand(['rollback', '-basedir', this.#base]);
    if (status === 0) {
      await this.#logged(new RegExp(`serves from .*${target.sum}`));
    } else {
      this.#timeline.withdrawn(target.sum);
      this.#fault(`a rollback was refused: ${stderr}`);
    }
  }

  #sumIn(slot: string): string | undefined {
    const path = join(this.#base, slot, 'data.db');
    if (!existsSync(path) || !existsSync(`${path}.md5`)) return undefined;
    return readFileSync(`${path}.md5`, 'latin1').slice(0, 32);
  }

  async #killInSwap(format: number): Promise<void> {
    const file = await this.#make(format);
    this.#drop(file);
    await sleep(this.#random.below(400));
    const before = this.#lines;
    await this.#restart('SIGKILL');
    // It was refused or taken before the kill, or is now.
    const told = before.find((line) => line.includes(' rejected '));
    if (told !== undefined) this.#judge(file, told);
    else if (this.#isSetAside(file)) await this.#judgeUntold(file);
    else if (!this.#lines.some((line) => line.includes(file.sum))) await this.#outcomeOf(file);
  }

  /** It was refused, and the server was killed before it said so. */
  #isSetAside({ sum }: SoakFile): boolean {
    const path = `${this.#file}.rejected.md5`;
    const isInSlot = ['data00', 'data01'].some((slot) => this.#sumIn(slot) === sum);
    if (existsSync(this.#file) || isInSlot || !existsSync(path)) return false;
    return readFileSync(path, 'latin1').startsWith(sum);
  }

  /** Its receipt must say so nevertheless. */
  async #judgeUntold(file: SoakFile): Promise<void> {
    this.#timeline.withdrawn(file.sum);
    if (file.version !== 'foreign') this.#fault('a good file was refused, and nobody said why');
    await sleep(1_000);
    const { md5, state } = JSON.parse(readFileSync(`${this.#file}.status.json`, 'utf8'));
    if (md5 !== file.sum || state !== 'rejected') this.#fault(`the receipt of it says ${state}`);
  }

  async #make(format: number): Promise<SoakFile> {
    this.#version++;
    const file = await makeFile(format, this.#version);
    this.#files.set(file.sum, { sum: file.sum, version: file.version });
    // What serves already could not be told from what is dropped.
    return file.sum === this.#serving ? this.#make(0) : file;
  }

  #drop(file: SoakFile): void {
    this.#lines = [];
    this.#timeline.offered(file.sum, file.version);
    drop(this.#file, file.bytes);
  }

  async #outcomeOf(file: SoakFile): Promise<void> {
    const sum = file.sum;
    this.#judge(file, await this.#logged(new RegExp(`rejected |serves from .*${sum}`)));
  }

  #judge(file: SoakFile, line: string): void {
    if (!line.includes('rejected ')) return;
    this.#timeline.withdrawn(file.sum);
    const isGuard = line.includes('HIT_RATE_DROPPED') && file.version === 'foreign';
    if (!isGuard) this.#fault(`a good file was refused: ${line}`);
  }

  async #restart(signal: NodeJS.Signals, threads = 1 + this.#random.below(3)): Promise<void> {
    await this.#end(signal);
    this.#timeline.killed();
    await this.#start(threads);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#isAway = true;
    await this.#server.kill(signal);
  }

  async #start(threads = 2): Promise<void> {
    this.#lines = [];
    const args = ['-addr', '127.0.0.1:0', '-file', this.#file, '-basedir', this.#base];
    const guards = ['-max-hit-drop', '50'];
    const scrub = ['-scrub-rate', '64MiB'];
    const isMapped = this.#random.below(100) < MAPPED_PERCENT;
    const memory = isMapped ? ['-memory', '0'] : [];
    this.#count(isMapped ? 'start with maps' : 'start with memory');
    const server = new SoakServer(
      [...args, ...guards, ...scrub, ...memory, '-threads', `${threads}`],
      (line) => this.#hear(line),
    );
    this.#server = server;
    void server.hasEnded.then((how) => {
      if (!server.isEnding) this.#fault(`the server has ended by itself: ${how}`);
    });
    const line = await this.#logged(/listens on [^;\s]+/);
    this.#address = parseAddress(/listens on ([^;\s]+)/.exec(line)![1]);
    this.#lives++;
    this.#isAway = false;
  }

  #hear(line: string): void {
    this.#lines.push(line);
    const sum = / generation \d+ serves from .* md5 ([0-9a-f]{32})/.exec(line)?.[1];
    if (sum !== undefined) {
      this.#serving = sum;
      this.#timeline.serves(sum);
    }
    const isFault = / error /.test(line) && !line.includes(' rejected ');
    if (isFault) this.#fault(`the log says: ${line}`);
    this.#wake();
  }

  async #logged(pattern: RegExp): Promise<string> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const line = this.#lines.find((one) => pattern.test(one));
      if (line !== undefined) return line;
      if (performance.now() > deadlineMs) {
        throw new Error(`the log never said ${pattern}, but ${this.#lines.join('; ')}`);
      }
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
        sleep(1_000),
      ]);
    }
  }

  #sample(): void {
    const sample = this.#isAway ? undefined : this.#server.sample();
    if (sample !== undefined) this.#samples.push(sample);
  }
}
