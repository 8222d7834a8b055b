import { rmSync } from 'node:fs';
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { collectGarbage } from '../collect-garbage.ts';
import { GoromdbError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { createCounterMemory } from '../protocol/counters.ts';
import { WorkerClient } from '../rpc.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import { type TableParts, transferableMemory } from '../storage/table.ts';
import { PROTOCOL_VERSION } from '../version.ts';
import type { AccessOptions } from './access.ts';
import type { Address } from './address.ts';
import { ClientLog, describeReport } from './client-log.ts';
import type { Limits } from './limits.ts';
import type { ListenTarget } from './listener.ts';
import type { Server } from './server.ts';
import { listenShared } from './shared-listener.ts';
import {
  SHUTDOWN,
  type ThreadData,
  type ThreadNews,
  type ThreadReply,
  type ThreadRequest,
} from './thread-messages.ts';

/** Serving threads of one process at most. */
export const THREADS_MAX = 64;

export interface ThreadsOptions {
  readonly threads: number;
  /** Built-in name, or the URL of a module whose default export is a `Protocol`. */
  readonly protocol: string;
  /** Built-in name, or the URL of a module whose default export makes a `Handler` of a `Storage`. */
  readonly handler: string;
  readonly limits: Limits;
  readonly access: AccessOptions;
  readonly loudRefusals: boolean;
  /** See `ServerFacts`. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** What the command `shutdown` does; undefined: nobody may. */
  readonly shutdown: (() => void) | undefined;
  readonly logger: Logger;
  /** Told when a thread ends by itself, which only a fault of ours can make it do. */
  readonly onDeath: (error: Error) => void;
}

type Client = WorkerClient<ThreadRequest, ThreadReply>;

/** Serves from several threads on one address. */
export class Threads implements Server {
  readonly #clients: readonly Client[];
  readonly #unixMode: number | undefined;
  #socketPath: string | undefined;
  #isClosing = false;

  constructor(options: ThreadsOptions) {
    this.#unixMode = options.access.unixMode;
    const counterMemory = createCounterMemory(options.threads);
    const facts = {
      version: PROTOCOL_VERSION,
      threads: options.threads,
      startedAt: Date.now(),
      connectionsMax: options.limits.connectionsMax,
      settings: options.settings,
    };
    // Each thread tells of an address once a minute, and here it is once for all of them.
    const clientLog = new ClientLog((report) => options.logger.warn(describeReport(report)));
    this.#clients = Array.from({ length: options.threads }, (_, thread) => {
      const { protocol, handler, limits, access, loudRefusals, shutdown } = options;
      const data: ThreadData = {
        ...{ thread, protocol, handler, limits, access, loudRefusals, counterMemory, facts },
        allowShutdown: shutdown !== undefined,
      };
      const worker = new Worker(new URL('./thread.js', import.meta.url), {
        workerData: data,
        name: `serve ${thread}`,
      });
      this.#watch(worker, options.onDeath);
      worker.on('message', (news: ThreadNews) => {
        if (news === SHUTDOWN) shutdown?.();
        else if ('report' in news) clientLog.report(news.report, performance.now());
      });
      return new WorkerClient(worker);
    });
  }

  /** Whether tables must be in memory that several threads can read. */
  get needsSharedMemory(): boolean {
    return this.#clients.length > 1;
  }

  async listen(address: Address): Promise<Address> {
    const count = this.#clients.length;
    if (count > 1 && (address.kind === 'unix' || !hasReusePort())) {
      const { address: bound, fds } = await listenShared({
        address,
        unixMode: this.#unixMode,
        count,
      });
      this.#socketPath = bound.kind === 'unix' ? bound.path : undefined;
      await this.#listenAll(fds.map((fd) => ({ fd, address: bound })));
      return bound;
    }
    const reusePort = count > 1;
    const bound = await this.#listenOne(this.#clients[0], { address, reusePort });
    const others = this.#clients.slice(1);
    await Promise.all(
      others.map((client) => this.#listenOne(client, { address: bound, reusePort })),
    );
    return bound;
  }

  async #listenAll(targets: readonly ListenTarget[]): Promise<void> {
    await Promise.all(this.#clients.map((client, i) => this.#listenOne(client, targets[i])));
  }

  async #listenOne(client: Client, target: ListenTarget): Promise<Address> {
    const { address } = await client.request({ kind: 'listen', target });
    return address!;
  }

  /** Puts a table into service in all threads. When this resolves, none serves the old one. */
  async swap(table: TableParts, info: DataSetInfo): Promise<void> {
    const transfer = transferableMemory(table);
    await Promise.all(
      this.#clients.map((client) => client.request({ kind: 'swap', table, info }, transfer)),
    );
    if (this.needsSharedMemory) collectGarbage();
  }

  /** Other data is about to be loaded: see `ThreadServer.hurryStale`. */
  async hurryStale(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.request({ kind: 'hurry-stale' })));
  }

  /** Reads the certificates again. @throws GoromdbError: those in use stay. */
  async reload(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.request({ kind: 'reload' })));
  }

  async close(graceMs?: number): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    await Promise.allSettled(
      this.#clients.map((client) => client.request({ kind: 'close', graceMs })),
    );
    await Promise.all(this.#clients.map((client) => client.worker.terminate()));
    // No thread has made the socket's file, so none removes it.
    if (this.#socketPath !== undefined) rmSync(this.#socketPath, { force: true });
  }

  #watch(worker: Worker, onDeath: (error: Error) => void): void {
    let fault: Error | undefined;
    worker.on('error', (error: Error) => {
      fault = error;
    });
    worker.on('exit', (code) => {
      if (this.#isClosing) return;
      const message = `a serving thread has ended with code ${code}`;
      onDeath(fault ?? new GoromdbError('SERVER_FAILED', message));
    });
  }
}

/** `reusePort` came with Node 22.12 and 23.1; before, the option is ignored without a word. */
function hasReusePort(): boolean {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const isNew = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
  return isNew && process.platform === 'linux';
}
