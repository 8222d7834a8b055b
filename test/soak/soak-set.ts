import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drop } from '../support/drop.ts';
import type { Random } from '../support/random-bytes.ts';
import { makeFile, type SoakFile } from './files.ts';
import { sleep } from './load.ts';
import { runCommand } from './server.ts';
import { NOTHING, Timeline } from './timeline.ts';

/** How long the server may take to do what it must. */
export const PATIENCE_MS = 60_000;
/** Files that are made for a data set at most. */
const VERSIONS_MAX = 1_000_000;
const LINE_FEED = 0x0a;
const SLOTS = ['data00', 'data01'];

/** What the data sets of a run share. */
export interface SetShare {
  readonly random: Random;
  readonly onFault: (fault: string) => void;
}

/** A data set of the server: what was dropped for it, and what may serve. */
export class SoakSet {
  /** Empty: it is the one without. */
  readonly prefix: string;
  readonly file: string;
  readonly base: string;
  readonly timeline = new Timeline();
  readonly #share: SetShare;
  /** What was dropped so far, by MD5. */
  readonly #files = new Map<string, Pick<SoakFile, 'sum' | 'version'>>();
  #version: number;
  /** The MD5 that the log named last. */
  #serving = '';
  #lines: string[] = [];
  #wake: () => void = () => {};

  /** @param number Keeps its versions apart from those of the others. */
  constructor(folder: string, prefix: string, number: number, share: SetShare) {
    const own = join(folder, `set-${prefix}`);
    this.prefix = prefix;
    this.#version = number * VERSIONS_MAX;
    this.file = join(own, 'data.db');
    this.base = join(own, 'base');
    this.#share = share;
    mkdirSync(own);
  }

  /** How the log names it, when it serves beside others. */
  get name(): string {
    return this.prefix === '' ? 'the data set without a prefix' : `data set ${this.prefix}`;
  }

  get hasServed(): boolean {
    return this.#serving !== '';
  }

  /** What a client puts before the soak's keys. */
  get keyPrefix(): string {
    return this.prefix === '' ? '' : `${this.prefix}:`;
  }

  /** A line of the log is about this one. */
  hear(line: string): void {
    this.#lines.push(line);
    const sum = /generation \d+ serves from .* md5 ([0-9a-f]{32})/.exec(line)?.[1];
    if (sum !== undefined) {
      this.#serving = sum;
      this.timeline.serves(sum);
    }
    this.#wake();
  }

  /** Another process, or this one with other settings, is about to look at the slots. */
  forgetLines(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  /** It is about to be taken out of service, or to be put back. */
  leaves(): void {
    this.timeline.offered(NOTHING, NOTHING);
  }

  hasLeft(): void {
    this.timeline.serves(NOTHING);
  }

  comesBack(): void {
    this.#lines = [];
    const { sum, version } = this.#files.get(this.#serving)!;
    this.timeline.offered(sum, version);
  }

  async serves(): Promise<void> {
    await this.#logged(/generation \d+ serves from/);
  }

  async publish(format: number, isForced: boolean): Promise<void> {
    const file = await this.#make(format);
    if (isForced) writeFileSync(`${this.file}.force`, file.sum);
    this.#drop(file);
    await this.#outcomeOf(file);
  }

  /**
   * Cut short, with the right sum: it must be refused. A hash of Berkeley DB may end with a page
   * that holds nothing, and is served without it, so more than that is cut off.
   */
  async publishDamaged(format: number): Promise<void> {
    const { bytes } = await this.#make(format);
    let length = Math.floor((bytes.length * (20 + this.#share.random.below(60))) / 100);
    // JSON Lines are whole when they end with a line.
    while (bytes[length] === LINE_FEED || bytes[length - 1] === LINE_FEED) length--;
    this.#lines = [];
    drop(this.file, bytes.subarray(0, length));
    await this.#logged(/rejected /);
  }

  async publishWithWrongSum(format: number): Promise<void> {
    const file = await this.#make(format);
    this.#lines = [];
    this.timeline.offered(file.sum, file.version);
    drop(this.file, file.bytes);
    writeFileSync(`${this.file}.md5`, `${'0'.repeat(32)}\n`);
    await sleep(this.#share.random.below(1000));
    writeFileSync(`${this.file}.md5`, `${file.sum}\n`);
    await this.#outcomeOf(file);
  }

  async replaceDrop(format: number): Promise<void> {
    const first = await this.#make(0);
    const second = await this.#make(format);
    this.#drop(first);
    await sleep(this.#share.random.below(300));
    this.#drop(second);
    await this.#outcomeOf(second);
    // The first may have been taken before the second came, which may have been refused.
    if (this.#serving !== first.sum) this.timeline.withdrawn(first.sum);
  }

  /** A thread dies, or the process is killed, while a file is loaded or swapped in. */
  async dropAnd(format: number, strike: () => Promise<void>): Promise<void> {
    const file = await this.#make(format);
    this.#drop(file);
    await sleep(this.#share.random.below(400));
    await strike();
    await this.#outcomeOf(file);
  }

  async killInSwap(format: number, kill: () => Promise<void>): Promise<void> {
    const file = await this.#make(format);
    this.#drop(file);
    await sleep(this.#share.random.below(400));
    const before = this.#lines;
    await kill();
    // It was refused or taken before the kill, or is now.
    const rejection = before.find((line) => line.includes(' rejected '));
    if (rejection !== undefined) this.#judge(file, rejection);
    else if (this.#isQuarantined(file)) await this.#judgeWithoutLine(file);
    else if (!this.#lines.some((line) => line.includes(file.sum))) await this.#outcomeOf(file);
  }

  /** Back to what the other slot holds; after a kill in a swap, that may be nothing. */
  async rollBack(): Promise<void> {
    const sums = SLOTS.map((slot) => this.#sumIn(slot));
    const target = this.#files.get(sums.find((sum) => sum !== this.#serving) ?? '');
    if (target === undefined) return;
    this.#lines = [];
    this.timeline.offered(target.sum, target.version);
    const { status, stderr } = await runCommand(['rollback', '-basedir', this.base]);
    if (status === 0) {
      await this.#logged(new RegExp(`serves from .*${target.sum}`));
    } else {
      this.timeline.withdrawn(target.sum);
      this.#share.onFault(`a rollback was refused: ${stderr}`);
    }
  }

  #sumIn(slot: string): string | undefined {
    const path = join(this.base, slot, 'data.db');
    if (!existsSync(path) || !existsSync(`${path}.md5`)) return undefined;
    return readFileSync(`${path}.md5`, 'latin1').slice(0, 32);
  }

  /** It was refused, and the server was killed before it said so. */
  #isQuarantined({ sum }: SoakFile): boolean {
    const path = `${this.file}.rejected.md5`;
    const isInSlot = SLOTS.some((slot) => this.#sumIn(slot) === sum);
    if (existsSync(this.file) || isInSlot || !existsSync(path)) return false;
    return readFileSync(path, 'latin1').startsWith(sum);
  }

  /** Its receipt must say so nevertheless. */
  async #judgeWithoutLine({ sum, version }: SoakFile): Promise<void> {
    const { onFault } = this.#share;
    this.timeline.withdrawn(sum);
    if (version !== 'foreign') onFault('a good file was refused without a reason');
    await sleep(1_000);
    const { md5, state } = JSON.parse(readFileSync(`${this.file}.status.json`, 'utf8'));
    if (md5 !== sum || state !== 'rejected') onFault(`the receipt of it says ${state}`);
  }

  async #make(format: number): Promise<SoakFile> {
    this.#version++;
    const file = await makeFile(format, this.#version);
    this.#files.set(file.sum, { sum: file.sum, version: file.version });
    // Answers of the serving file could not be distinguished from those of the same one dropped.
    return file.sum === this.#serving ? this.#make(0) : file;
  }

  #drop({ sum, version, bytes }: SoakFile): void {
    this.#lines = [];
    this.timeline.offered(sum, version);
    drop(this.file, bytes);
  }

  async #outcomeOf(file: SoakFile): Promise<void> {
    this.#judge(file, await this.#logged(new RegExp(`rejected |serves from .*${file.sum}`)));
  }

  #judge({ sum, version }: SoakFile, line: string): void {
    if (!line.includes('rejected ')) return;
    this.timeline.withdrawn(sum);
    const isGuard = line.includes('HIT_RATE_DROPPED') && version === 'foreign';
    if (!isGuard) this.#share.onFault(`a good file was refused: ${line}`);
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
}
