import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, parseAddress } from '../../src/common/address.ts';
import { Random } from '../support/random-bytes.ts';
import { FORMATS } from './files.ts';
import { misbehave } from './hostile.ts';
import { type LoadShare, runClient, sleep } from './load.ts';
import { DEATHS, type Death, type Sample, SoakServer } from './server.ts';
import { PATIENCE_MS, SoakSet } from './soak-set.ts';
import { ThreadDeaths } from './thread-deaths.ts';

/** Clients that ask all the time. */
const CLIENTS = 6;
/** Of a hundred processes so many serve several data sets. */
const SEVERAL_PERCENT = 60;
/** What changes when a data set is changed. */
const SCRUB_RATES = ['16MiB', '64MiB', '256MiB'];
const PREFIXES = ['', 'a', 'b'];
/** It takes the server half a minute to end a thread that hangs: this is for longer runs. */
const HANG_MINUTES_MIN = 5;
/** Of a hundred deaths so many are by an endless loop, in such runs. */
const HANG_PERCENT = 8;
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
  /** Connections that were lost with a serving thread. */
  readonly lost: number;
  /** How often each action was done. */
  readonly actions: Readonly<Record<string, number>>;
  /** Of the process of the second half, which lives to the end. */
  readonly samples: readonly Sample[];
}

/** What may be done to the server: how likely it is, its name, and what it is. */
type Action = readonly [weight: number, name: string, act: () => Promise<void>];

/** How the server is run. */
interface Mode {
  readonly isSeveral: boolean;
  readonly threads: number;
}

/** One run: a server, clients that check it, and what is done to it. */
export class Soak {
  readonly #random: Random;
  /** Of its own, so that what is done does not depend on how fast clients are. */
  readonly #loadRandom: Random;
  readonly #folder = mkdtempSync(join(tmpdir(), 'goromdb-soak-'));
  readonly #config = join(this.#folder, 'goromdb.toml');
  readonly #sets: readonly SoakSet[];
  /** What a configuration file says of each besides. */
  readonly #settings = new Map<SoakSet, string>();
  readonly #deaths = new ThreadDeaths();
  readonly #faults: string[] = [];
  readonly #actions: Record<string, number> = {};
  readonly #minutes: number;
  readonly #startMs = performance.now();
  readonly #say: (line: string) => void;
  #samples: Sample[] = [];
  #server!: SoakServer;
  #mode: Mode = { isSeveral: true, threads: 2 };
  /** Those that this process serves, or served. */
  #served: readonly SoakSet[] = [];
  #address: Address = parseAddress('127.0.0.1:0');
  #isAway = true;
  #lives = 0;
  #isOver = false;
  #hasStarted: (line: string) => void = () => {};
  #hasChanged: () => void = () => {};

  constructor(minutes: number, seed: number, say: (line: string) => void) {
    this.#random = new Random(seed);
    this.#loadRandom = new Random(seed + 1);
    this.#minutes = minutes;
    this.#say = say;
    const onFault = (fault: string): void => this.#fault(fault);
    this.#sets = PREFIXES.map((prefix, number) => {
      return new SoakSet(this.#folder, prefix, number, { random: this.#random, onFault });
    });
  }

  async run(): Promise<Outcome> {
    const share = this.#share();
    try {
      await this.#start({ isSeveral: true, threads: 2 });
      for (const set of this.#sets) await set.publish(0, false);
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
    const [faults, actions, samples] = [this.#faults, this.#actions, this.#samples];
    return { ...share, faults, actions, samples };
  }

  #share(): LoadShare {
    return {
      ...{ random: this.#loadRandom, requests: {}, keys: 0, foreign: 0, lost: 0 },
      sets: () => this.#served,
      address: () => this.#address,
      life: () => (this.#isAway ? undefined : this.#lives),
      isLost: (connection) => this.#deaths.isLost(connection),
      isOver: () => this.#isOver,
      onFault: (fault) => this.#fault(fault),
    };
  }

  #fault(fault: string): void {
    this.#say(`FAULT: ${fault}`);
    this.#faults.push(fault);
    if (this.#faults.length >= FAULTS_MAX) this.#isOver = true;
  }

  /** How much of the run is over, from 0 to 1. */
  get #done(): number {
    return (performance.now() - this.#startMs) / (this.#minutes * 60_000);
  }

  async #act(): Promise<void> {
    let isSecondHalf = false;
    while (this.#done < 1 && !this.#isOver) {
      if (!isSecondHalf && this.#done > 0.5) {
        // From here on one process lives, and what it holds must not grow.
        isSecondHalf = true;
        await this.#restart('SIGTERM', { ...this.#chooseMode(), threads: 2 });
        this.#samples = [];
      }
      const [, name, act] = this.#choose(isSecondHalf);
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

  #choose(isSecondHalf: boolean): Action {
    const random = this.#random;
    const format = random.below(FORMATS);
    const set = this.#served[random.below(this.#served.length)];
    const kill = (): Promise<void> => this.#restart('SIGKILL', this.#mode);
    const strike = (): Promise<void> => this.#endThread();
    const actions: Action[] = [
      [35, 'publish', () => set.publish(format, random.below(2) === 0)],
      [10, 'drop a damaged file', () => set.publishDamaged(format)],
      [6, 'drop with a wrong sum first', () => set.publishWithWrongSum(format)],
      [6, 'roll back', () => set.rollBack()],
      [3, 'replace a drop at once', () => set.replaceDrop(format)],
      [20, 'misbehave', () => misbehave(this.#address, random)],
    ];
    if (this.#deaths.isAllowed) {
      actions.push([4, 'end a thread', strike]);
      actions.push([4, 'end a thread in a swap', () => set.dropAnd(format, strike)]);
    }
    if (this.#mode.isSeveral) {
      actions.push([4, 'change a data set', () => this.#changeSet(set)]);
      actions.push([3, 'remove and add a data set', () => this.#removeAndAdd(set)]);
    }
    if (!isSecondHalf) {
      actions.push([5, 'restart', () => this.#restart('SIGTERM', this.#chooseMode())]);
      actions.push([7, 'kill', () => this.#restart('SIGKILL', this.#chooseMode())]);
      actions.push([8, 'kill in a swap', () => set.killInSwap(format, kill)]);
    }
    let dice = random.below(actions.reduce((sum, [weight]) => sum + weight, 0));
    return actions.find(([weight]) => {
      dice -= weight;
      return dice < 0;
    })!;
  }

  #chooseMode(): Mode {
    const isSeveral = this.#random.below(100) < SEVERAL_PERCENT;
    return { isSeveral, threads: 1 + this.#random.below(3) };
  }

  /** A serving thread dies, and another one takes its place. */
  async #endThread(): Promise<void> {
    const isHang = this.#minutes >= HANG_MINUTES_MIN && this.#random.below(100) < HANG_PERCENT;
    const how: Death = isHang ? 'hang' : DEATHS[this.#random.below(DEATHS.indexOf('hang'))];
    this.#count(`a thread ends by ${how}`);
    this.#deaths.begin();
    this.#server.endThread(this.#random.below(this.#mode.threads), how);
    await this.#deaths.isOver(PATIENCE_MS);
  }

  /** It keeps serving what it has, and loads it again from its slots. */
  async #changeSet(set: SoakSet): Promise<void> {
    set.forgetLines();
    await this.#hangUp(this.#served, set);
    await set.serves();
  }

  async #removeAndAdd(set: SoakSet): Promise<void> {
    const all = this.#served;
    set.leaves();
    await this.#hangUp(all.filter((one) => one !== set));
    set.hasLeft();
    await sleep(this.#random.below(500));
    set.comesBack();
    await this.#hangUp(all);
    await set.serves();
  }

  /** @param changed One that gets other settings. */
  async #hangUp(sets: readonly SoakSet[], changed?: SoakSet): Promise<void> {
    if (changed !== undefined) {
      const before = this.#settings.get(changed);
      while (this.#settings.get(changed) === before) this.#set(changed);
    }
    const done = new Promise<void>((resolve, reject) => {
      this.#hasChanged = resolve;
      setTimeout(() => reject(new Error('the data sets were not changed')), PATIENCE_MS).unref();
    });
    this.#writeConfig(sets);
    this.#server.hangUp();
    await done;
  }

  #set(set: SoakSet): void {
    const rate = SCRUB_RATES[this.#random.below(SCRUB_RATES.length)];
    this.#settings.set(set, `scrub-rate = "${rate}"`);
  }

  #writeConfig(sets: readonly SoakSet[]): void {
    const lines = ['addr = "127.0.0.1:0"', `threads = ${this.#mode.threads}`];
    for (const set of sets) {
      if (!this.#settings.has(set)) this.#set(set);
      lines.push('[[data-set]]', `file = "${set.file}"`, `basedir = "${set.base}"`);
      if (set.prefix !== '') lines.push(`prefix = "${set.prefix}"`);
      lines.push('max-hit-drop = 50', this.#settings.get(set)!);
    }
    writeFileSync(this.#config, `${lines.join('\n')}\n`);
  }

  async #restart(signal: NodeJS.Signals, mode: Mode): Promise<void> {
    await this.#end(signal);
    for (const { timeline } of this.#served) timeline.killed();
    await this.#start(mode);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#isAway = true;
    await this.#server.kill(signal);
    this.#deaths.end();
  }

  async #start(mode: Mode): Promise<void> {
    for (const set of this.#sets) set.forgetLines();
    this.#mode = mode;
    const started = new Promise<string>((resolve, reject) => {
      this.#hasStarted = resolve;
      setTimeout(() => reject(new Error('it did not start')), PATIENCE_MS).unref();
    });
    const server = new SoakServer(this.#args(), (line) => this.#hear(line));
    this.#server = server;
    void server.hasEnded.then((how) => {
      if (!server.isEnding) this.#fault(`the server has ended by itself: ${how}`);
    });
    this.#address = parseAddress(await started);
    this.#lives++;
    this.#isAway = false;
  }

  #args(): readonly string[] {
    const { isSeveral, threads } = this.#mode;
    this.#count(isSeveral ? 'start with several data sets' : 'start with one data set');
    this.#settings.clear();
    if (isSeveral) {
      this.#served = this.#sets;
      this.#writeConfig(this.#sets);
      return ['-config', this.#config];
    }
    const [set] = this.#sets;
    this.#served = [set];
    this.#set(set);
    const flags = this.#settings
      .get(set)!
      .split('\n')
      .flatMap((line) => {
        const [name, value] = line.split(' = ');
        return [`-${name}`, value.replaceAll('"', '')];
      });
    return [
      ...['-addr', '127.0.0.1:0', '-file', set.file, '-basedir', set.base],
      ...['-max-hit-drop', '50', '-threads', `${threads}`, ...flags],
    ];
  }

  #hear(line: string): void {
    const text = line.slice(line.indexOf(' ') + 1);
    for (const set of this.#served) {
      if (!this.#mode.isSeveral || text.includes(`${set.name}: `)) set.hear(line);
    }
    const address = /listens on ([^;\s]+)/.exec(line)?.[1];
    if (address !== undefined) this.#hasStarted(address);
    if (text.startsWith('info data sets: ')) this.#hasChanged();
    const isOurs = this.#deaths.hear(line);
    const isFault = / error /.test(line) && !line.includes(' rejected ') && !isOurs;
    if (isFault) this.#fault(`the log says: ${line}`);
  }

  #sample(): void {
    const sample = this.#isAway ? undefined : this.#server.sample();
    if (sample !== undefined) this.#samples.push(sample);
  }
}
