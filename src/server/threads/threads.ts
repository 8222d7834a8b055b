/** What belongs in this folder: starts, swaps, watches and replaces the serving threads. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Address, formatAddress } from '../../common/address.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import type { Logger } from '../../common/log.ts';
import { threadError } from '../../common/rpc.ts';
import type {
  DataSetStatus,
  LoadNews,
  Metric,
  ServerStatus,
  Settings,
} from '../../common/status.ts';
import { Turns } from '../../common/turns.ts';
import { PROTOCOL_VERSION } from '../../common/version.ts';
import {
  type CounterName,
  type Counters,
  clearStanding,
  countersOf,
  createCounterMemory,
  sumCounters,
} from '../../protocol/counters.ts';
import { serverMetrics } from '../../protocol/fields.ts';
import type { ServerFacts, ThreadSettings } from '../../protocol/protocol.ts';
import { readLookups } from '../../storage/lookup-counts.ts';
import { readSample, type SampledLookup } from '../../storage/lookup-sample.ts';
import type { DataSetInfo } from '../../storage/storage.ts';
import type { TableMap } from '../../storage/table/table-map.ts';
import { type AccessOptions, certificateExpiry, checkAccessFiles } from '../access.ts';
import { ClientLog, logReport } from '../client-log.ts';
import type { InheritedListener } from '../inherited.ts';
import type { Limits } from '../limits.ts';
import type { ListenRole } from '../listener.ts';
import { createMeterMemory } from '../metering/metering.ts';
import { readDurations } from '../metering/set-durations.ts';
import type { Server } from '../server.ts';
import { settingsOf } from '../settings.ts';
import { Listening, type ThreadPlace } from './listening.ts';
import { RESTART_WINDOW_MS, RESTARTS_MAX, RestartLimit } from './restart-limit.ts';
import { createSetMemory } from './served-sets.ts';
import { serverStatusOf } from './server-status.ts';
import { ServingThread } from './serving-thread.ts';
import type { PlacedSet, SetMemory, ThreadData } from './thread-messages.ts';
import { Watchdog } from './watchdog.ts';

export interface ThreadsOptions {
  readonly threads: number;
  /** Built-in name, or the URL of a module whose default export is a `Protocol`. */
  readonly protocol: string;
  /** Built-in name, or the URL of a module whose default export makes a `Handler` of a `Storage`. */
  readonly handler: string;
  /** What ends the prefixes of several data sets; undefined: there is one, without. */
  readonly delimiter?: string | undefined;
  readonly limits: Limits;
  readonly access: AccessOptions;
  readonly sessions: ThreadSettings;
  /** More for `stats settings`. */
  readonly settings: Settings;
  /** What the command `shutdown` does; undefined: nobody may. */
  readonly shutdown: (() => void) | undefined;
  /** Called when serving cannot go on: a thread could not start, or threads die again and again. */
  readonly onFailure: (error: Error) => void;
  readonly logger: Logger;
  /** See `ServerParts`. */
  readonly logSlowMs?: number | undefined;
}

/** The place of one thread: the thread changes when it dies, the rest stays. */
interface Place extends ThreadPlace {
  readonly data: ThreadData;
  thread: ServingThread;
  restarts: number;
}

/** A table and what it is. */
interface ServedTable {
  readonly map: TableMap;
  readonly info: DataSetInfo;
}

/** A data set, for all threads. */
interface SetState {
  readonly memory: SetMemory;
  served: ServedTable | undefined;
}

/** Serves from several threads on one address. One that dies is replaced. */
export class Threads implements Server {
  readonly #options: ThreadsOptions;
  readonly #places: readonly Place[];
  readonly #facts: ServerFacts;
  #address = '';
  #certificateExpiresAt: string | undefined;
  /** What the main thread counts. */
  readonly #counters: Counters;
  readonly #counterMemory: SharedArrayBuffer;
  readonly #meterMemory: SharedArrayBuffer;
  /** By the prefix of their keys. */
  readonly #sets = new Map<string, SetState>();
  /** What `stats` shows of loads, likewise. */
  readonly #news = new Map<string, LoadNews>();
  /** The number of the data sets as they are now, all together. It never goes back. */
  #generation = 0;
  readonly #restarts = new RestartLimit();
  /** Each thread reports an address once a minute; here it is once for all of them. */
  readonly #clientLog: ClientLog;
  /** How it listens, for a process that takes over. */
  readonly listening: Readonly<Record<ListenRole, Listening>>;
  #watchdog: Watchdog | undefined;
  /** Swaps and replacements happen one after the other. */
  readonly #turns = new Turns<'add' | 'remove' | 'swap' | 'replace'>();
  #isListening = false;
  #isClosing = false;
  #isEnded = false;

  constructor(options: ThreadsOptions) {
    this.#options = options;
    this.#clientLog = new ClientLog((report) => logReport(options.logger, report));
    const { threads, protocol, handler, delimiter, limits, access, sessions } = options;
    const { logSlowMs } = options;
    // The last block is the main thread's own.
    const counterMemory = createCounterMemory(threads + 1);
    this.#counterMemory = counterMemory;
    this.#meterMemory = createMeterMemory(threads);
    this.#counters = countersOf(counterMemory, threads);
    const allowShutdown = options.shutdown !== undefined;
    const facts = {
      version: PROTOCOL_VERSION,
      threads,
      startedAt: Date.now(),
      connectionsMax: limits.connectionsMax,
      settings: { ...settingsOf({ ...options, allowShutdown }), ...options.settings },
    };
    this.#facts = facts;
    this.#certificateExpiresAt = certificateExpiry(access);
    this.#places = Array.from({ length: threads }, (_, thread) => {
      const data = {
        ...{ thread, protocol, handler, delimiter, limits, access, sessions, facts },
        ...{ counterMemory, meterMemory: this.#meterMemory, allowShutdown, logSlowMs },
      };
      const place: Place = { data, thread: undefined!, restarts: 0 };
      place.thread = this.#start(place);
      return place;
    });
    this.listening = {
      data: new Listening('data', this.#places, access.unixMode),
      cluster: new Listening('cluster', this.#places, access.unixMode),
    };
  }

  /** How many serve. */
  get size(): number {
    return this.#places.length;
  }

  /** As `Goromdb.status` returns it. */
  get status(): ServerStatus {
    const restarts = this.#places.map((place) => place.restarts);
    const memory = { counters: this.#counterMemory, meters: this.#meterMemory };
    return serverStatusOf(this.#facts, this.#address, memory, restarts, this.#certificateExpiresAt);
  }

  /** As `Goromdb.counters` returns them. */
  get metrics(): readonly Metric[] {
    return serverMetrics(this.#facts, sumCounters(this.#counterMemory));
  }

  /** Lookups that clients made of late in a data set. */
  sample(set: string): readonly SampledLookup[] {
    const state = this.#sets.get(set);
    return state === undefined ? [] : readSample(state.memory.sampleMemory);
  }

  /** What clients have asked of a data set, and how long that took. */
  asked(set: string): Pick<DataSetStatus, 'lookups' | 'duration'> {
    const memory = this.#sets.get(set)?.memory;
    if (memory === undefined) return { lookups: [], duration: undefined };
    return {
      lookups: readLookups(memory.countMemory),
      duration: readDurations(memory.durationMemory),
    };
  }

  /** The live generation. */
  served(set: string): DataSetInfo | undefined {
    return this.#sets.get(set)?.served?.info;
  }

  /** Sends news of loads to the threads, for `stats`. A thread that has ended needs none. */
  notify(set: string, news: LoadNews): void {
    this.#news.set(set, news);
    for (const thread of this.#threads) {
      thread.request({ kind: 'news', set, news }).catch(() => {});
    }
  }

  /** Counts something that the main thread has found. */
  count(name: CounterName, by = 1): void {
    this.#counters[name] += by;
  }

  /**
   * @param inherited What to listen on in place of binding a socket.
   * @param cluster Begun first: where it answers `address`, it is whole.
   */
  async listen(
    address: Address,
    inherited?: InheritedListener,
    cluster?: { readonly address: Address; readonly inherited?: InheritedListener | undefined },
  ): Promise<Address> {
    if (cluster) await this.listening.cluster.begin(cluster.address, cluster.inherited);
    const bound = await this.listening.data.begin(address, inherited);
    this.#isListening = true;
    this.#address = formatAddress(bound);
    this.#watchdog = new Watchdog(() => this.#places.map((place) => place.thread));
    return bound;
  }

  /** From now on all keys of a data set are misses, if it has nothing to serve yet. */
  add(set: string): Promise<void> {
    return this.#turns.take('add', async () => {
      const placed = this.#place(set, 0);
      await Promise.all(this.#threads.map((thread) => thread.request({ kind: 'add', ...placed })));
      this.#notifySwapped();
    });
  }

  /** Takes a data set out of service. Replies that are under way go on from it. */
  remove(set: string): Promise<void> {
    return this.#turns.take('remove', async () => {
      this.#sets.get(set)?.served?.map.release();
      this.#sets.delete(set);
      this.#news.delete(set);
      this.#generation++;
      const request = { kind: 'remove', set, generation: this.#generation } as const;
      // A thread that dies now is replaced by one without it.
      await Promise.allSettled(this.#threads.map((thread) => thread.request(request)));
      this.#notifySwapped();
    });
  }

  /**
   * Puts a table into service in all threads. When this resolves, none serves the old one: a thread
   * that could not go over to the new one has been ended, and its replacement serves the new one.
   *
   * @param set The prefix of its keys; empty: without.
   * @param map Held by each thread that serves it, and here for those that replace them.
   * @throws GoromdbError when no thread could: all serve the old one.
   */
  swap(set: string, map: TableMap, info: DataSetInfo): Promise<void> {
    return this.#turns.take('swap', () => this.#swap(set, { map, info }));
  }

  async #swap(set: string, next: ServedTable): Promise<void> {
    const threads = this.#threads;
    const placed = this.#place(set, next.info.generation);
    const outcomes = await Promise.allSettled(
      threads.map((thread) => thread.swap(placed, next.map, next.info)),
    );
    const faults = outcomes.map((one) => (one.status === 'rejected' ? one.reason : undefined));
    const left = threads.filter((thread, i) => faults[i] !== undefined && thread.isAlive);
    if (left.length === threads.length || (!this.#isListening && faults.some(Boolean))) {
      throw faults.find(Boolean);
    }
    // Nobody would release what is held from now on.
    if (this.#isClosing) return;
    const state = this.#sets.get(set)!;
    state.served?.map.release();
    state.served = { map: next.map.hold(), info: next.info };
    for (const thread of left) {
      const cause = faults[threads.indexOf(thread)];
      const why = `it cannot swap to generation ${next.info.generation}: ${messageOf(cause)}`;
      await thread.end(new GoromdbError('SERVER_FAILED', why, { cause }));
    }
    this.#notifySwapped();
  }

  /**
   * Notifies clients that keep values for others, whose connections may be in any thread: before
   * this they could be given an old value once more. A thread that has ended has no clients.
   */
  #notifySwapped(): void {
    for (const thread of this.#threads) {
      thread.request({ kind: 'swapped-everywhere' }).catch(() => {});
    }
  }

  get #threads(): readonly ServingThread[] {
    return this.#places.map((place) => place.thread);
  }

  /** Numbers the data sets anew. @param own The number of the one that changes. */
  #place(set: string, own: number): PlacedSet {
    let state = this.#sets.get(set);
    if (state === undefined) {
      state = { memory: createSetMemory(this.#places.length), served: undefined };
      this.#sets.set(set, state);
    }
    let sum = own;
    for (const [other, { served }] of this.#sets) {
      if (other !== set) sum += served?.info.generation ?? 0;
    }
    // With the MD5 a cursor of a process before this one is most likely of no other data.
    this.#generation = Math.max(this.#generation + 1, sum);
    return { set, ...state.memory, generation: this.#generation };
  }

  /** Other data is about to be loaded: see `ThreadServer.hurryStale`. */
  async hurryStale(): Promise<void> {
    await Promise.all(this.#places.map(({ thread }) => thread.request({ kind: 'hurry-stale' })));
  }

  /** Reads certificates and users again. @throws GoromdbError: those in use stay, in all threads. */
  async reload(): Promise<void> {
    const { access } = this.#options;
    checkAccessFiles(access);
    const expiresAt = certificateExpiry(access);
    await Promise.all(this.#places.map(({ thread }) => thread.request({ kind: 'reload' })));
    this.#certificateExpiresAt = expiresAt;
  }

  /** Another process accepts now: closes each connection between two requests. See `Limits`. */
  async drain(): Promise<void> {
    this.#isClosing = true;
    this.#watchdog?.close();
    await Promise.allSettled(this.#threads.map((thread) => thread.request({ kind: 'drain' })));
  }

  async close(graceMs?: number): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#isClosing = true;
    this.#watchdog?.close();
    const threads = this.#threads;
    await Promise.allSettled(threads.map((thread) => thread.request({ kind: 'close', graceMs })));
    await Promise.all(threads.map((thread) => thread.end()));
    for (const { served } of this.#sets.values()) served?.map.release();
    for (const listening of Object.values(this.listening)) listening.close();
  }

  #start(place: Place): ServingThread {
    return new ServingThread(place.data, {
      onShutdown: () => this.#options.shutdown?.(),
      onReport: (report) => this.#clientLog.report(report, performance.now()),
      onLog: ({ level, message, fields }) =>
        this.#options.logger[level](message, { ...fields, thread: place.data.thread }),
      onExit: (fault) => this.#bury(place, fault),
    });
  }

  /** A thread has ended: another one takes its place, unless that is of no use. */
  #bury(place: Place, fault: Error): void {
    if (this.#isClosing) return;
    const { onFailure, logger } = this.#options;
    if (!this.#isListening) {
      const { code, message } = threadError(fault);
      const why = `a serving thread has failed: ${message}`;
      onFailure(new GoromdbError(code, why, { cause: fault }));
      return;
    }
    // Its connections are gone. Nobody else writes the counters of a thread that has ended.
    clearStanding(this.#counterMemory, place.data.thread);
    place.restarts++;
    this.#counters.serving_thread_restarts++;
    const died = `serving thread ${place.data.thread} has died: ${fault.stack ?? fault.message}`;
    const fields = { event: 'thread-died', thread: place.data.thread } as const;
    const pauseMs = this.#restarts.pauseMs(performance.now());
    if (pauseMs === undefined) {
      logger.error(`${died}; it is not replaced`, fields);
      const often = `${RESTARTS_MAX + 1} times in ${RESTART_WINDOW_MS / 1000} s`;
      const message = `serving threads have died ${often}; the last: ${fault.message}`;
      onFailure(new GoromdbError('SERVER_FAILED', message, { cause: fault }));
      return;
    }
    logger.error(`${died}; it is replaced, and its connections are lost`, fields);
    this.#turns.take('replace', () => this.#replace(place, pauseMs)).catch(onFailure);
  }

  async #replace(place: Place, pauseMs: number): Promise<void> {
    await delay(pauseMs, undefined, { ref: false });
    if (this.#isClosing) return;
    const thread = this.#start(place);
    place.thread = thread;
    try {
      for (const [set, { served, memory }] of this.#sets) {
        const placed = { set, ...memory, generation: this.#generation };
        if (served === undefined) await thread.request({ kind: 'add', ...placed });
        else await thread.swap(placed, served.map, served.info);
      }
      for (const [set, news] of this.#news) await thread.request({ kind: 'news', set, news });
      for (const listening of Object.values(this.listening)) await listening.resume(place);
      const fields = { event: 'thread-replaced', thread: place.data.thread } as const;
      this.#options.logger.info(`serving thread ${place.data.thread} serves again`, fields);
    } catch (cause) {
      // One that has ended already was reported; else this reports it, and the next one is tried.
      await thread.end(new GoromdbError('SERVER_FAILED', messageOf(cause), { cause }));
    }
  }
}
