import { closeSync } from 'node:fs';
import { type Address, formatAddress } from '../common/address.ts';
import { codeOf, messageOf } from '../common/errors.ts';
import { type Logger, silentLogger } from '../common/log.ts';
import type { Metric, Status } from '../common/status.ts';
import type { DataSets, Plan } from '../data-sets/data-sets.ts';
import type { HttpServer } from '../http/http.ts';
import type { Peers } from '../peers/peers.ts';
import { descriptorWarning } from '../server/descriptors.ts';
import { DEFAULT_LIMITS } from '../server/limits.ts';
import { checkAddress } from '../server/listener.ts';
import type { Outgoing } from '../upgrade/successor.ts';
import {
  type Inherited,
  type RoleSockets,
  type SocketRole,
  socketsFor,
} from '../upgrade/upgrade.ts';
import type { GoromdbDataSets } from './goromdb.ts';
import type { DataSetsPlan, ServerOptions, ServerPlan } from './options.ts';
import { watchNodes } from './redis-cluster.ts';
import type { ServingThreads } from './serving-threads.ts';

/** The parts of a server, started, handed over and closed in order. */
export class RunningServer implements GoromdbDataSets, Outgoing {
  readonly #plan: ServerPlan;
  readonly #threads: ServingThreads;
  readonly #sets: DataSets;
  readonly #http: HttpServer | undefined;
  readonly #place: (plan: DataSetsPlan) => Plan;
  readonly #logger: Logger;
  /** Of what this process was given, what it goes on with. */
  readonly #given: { readonly [role in SocketRole]?: RoleSockets | undefined };
  #address: Address;
  #httpAddress: Address | undefined;
  #peers: Peers | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    plan: ServerPlan,
    threads: ServingThreads,
    sets: DataSets,
    http: HttpServer | undefined,
    place: (plan: DataSetsPlan) => Plan,
  ) {
    this.#plan = plan;
    this.#threads = threads;
    this.#sets = sets;
    this.#http = http;
    this.#place = place;
    this.#logger = plan.logger ?? silentLogger;
    this.#address = plan.address;
    const { inherited = { sockets: [], locks: [] } } = plan;
    this.#given = {
      data: socketsFor(inherited, 'data', plan.address),
      cluster: socketsFor(inherited, 'cluster', plan.redisCluster?.address),
      http: socketsFor(inherited, 'http', plan.http?.address),
    };
    this.#ownFiles((role) => this.#given[role] === undefined);
  }

  get address(): Address {
    return this.#address;
  }

  get done(): Promise<void> {
    return this.#threads.done;
  }

  /** What of what it was given it goes on with. */
  get roles(): readonly SocketRole[] {
    return (['data', 'cluster', 'http'] as const).filter((role) => this.#given[role] !== undefined);
  }

  /** @throws GoromdbError as `startGoromdb`. */
  async start(): Promise<void> {
    const { limits, threads = 1, predecessor, address: wanted, redisCluster, access } = this.#plan;
    const { connectionsMax } = { ...DEFAULT_LIMITS, ...limits };
    await predecessor?.checked();
    await this.#sets.take(this.#place(this.#plan));
    const warning = descriptorWarning(connectionsMax, threads);
    if (warning !== undefined) this.#logger.warn(warning, { event: 'descriptors-few' });
    // Before anything is loaded: an address in use is an error at once, and probes are answered.
    if (predecessor === undefined) await this.#listenHttp();
    if (this.#given.data === undefined) await checkAddress(wanted);
    const cluster = redisCluster && { ...redisCluster, inherited: this.#given.cluster };
    if (cluster?.inherited === undefined && cluster)
      await checkAddress(cluster.address, 'cluster-address');
    const lacks = await this.#sets.recover();
    const { server } = this.#threads;
    this.#address = await server.listen(wanted, this.#given.data, cluster);
    if (predecessor !== undefined) await this.#takeOver();
    this.#closeUnwanted();
    const count = (nodes: number): void => server.count('silent_nodes', nodes);
    this.#peers = redisCluster && watchNodes(redisCluster, this.#logger, access?.tls, count);
    const listensOn = formatAddress(this.#address);
    const { address: at } = cluster?.inherited ?? cluster ?? {};
    const also = at && [`for Redis Cluster on ${formatAddress(at)}`];
    const line = [`listens on ${listensOn}`, ...(also ?? []), ...lacks].join('; ');
    this.#logger.info(line, { event: 'server-listening' });
    this.#sets.watch(listensOn);
  }

  reload(): Promise<void> {
    this.#sets.look();
    return Promise.all([this.#threads.server.reload(), this.#http?.reload()]).then(
      () => this.#logger.info(reloadedLine(this.#plan), { event: 'reload-done' }),
      (error: unknown) => {
        const fields = { event: 'reload-failed', code: codeOf(error) } as const;
        this.#logger.error(`not reloaded: ${messageOf(error)}; what was in use stays`, fields);
      },
    );
  }

  status(): Status {
    return { server: this.#threads.server.status, dataSets: this.#sets.status };
  }

  counters(): readonly Metric[] {
    return [...this.#threads.server.metrics, ...this.#sets.metrics];
  }

  change(next: DataSetsPlan): Promise<void> {
    return this.#sets.change(this.#place(next));
  }

  /** See `Outgoing`. */
  get handedOver(): Inherited {
    const { address, http } = this.#plan;
    const { listening } = this.#threads.server;
    const sockets: RoleSockets[] = [
      {
        role: 'data',
        asked: this.#asked('data', address),
        address: this.#address,
        fds: listening.data.descriptors,
      },
    ];
    const cluster = this.#plan.redisCluster?.address;
    if (cluster !== undefined) {
      const asked = this.#asked('cluster', cluster);
      const fds = listening.cluster.descriptors;
      const { address = cluster } = this.#given.cluster ?? {};
      sockets.push({ role: 'cluster', asked, address, fds });
    }
    const fd = this.#http?.descriptor;
    const httpAddress = this.#httpAddress;
    if (http !== undefined && httpAddress !== undefined && fd !== undefined) {
      const asked = this.#asked('http', http.address);
      sockets.push({ role: 'http', asked, address: httpAddress, fds: [fd] });
    }
    return { sockets, locks: this.#sets.locks };
  }

  pause(): Promise<void> {
    return this.#sets.pause();
  }

  resume(): Promise<void> {
    return this.#sets.resume();
  }

  /**
   * Another process serves now: closes each connection between two requests, then all else.
   *
   * @param roles The sockets that the other process goes on with.
   */
  async leave(roles: readonly SocketRole[]): Promise<void> {
    this.#ownFiles((role) => !roles.includes(role));
    await this.#sets.handOver();
    await Promise.all([this.#threads.server.drain(), this.#http?.close()]);
    await this.close();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Both at once: a load may take long to stop, and clients must not wait for it.
    this.#peers?.close();
    this.#http?.drain();
    await Promise.all([this.#sets.unwatch(), this.#threads.server.close()]);
    await this.#sets.close();
    // Last: until then it says that the server closes.
    await this.#http?.close();
    this.#threads.resolve();
  }

  async #listenHttp(): Promise<void> {
    this.#httpAddress = await this.#http?.listen(this.#given.http);
  }

  /** Goes on where the process before has ended. */
  async #takeOver(): Promise<void> {
    // Until now it answers probes: this one had no data.
    await this.#listenHttp();
    await this.#plan.predecessor?.ready();
    this.#ownFiles(() => true);
    await this.#sets.openControls();
  }

  /** What systemd passed stays for whichever address the next process has, as it was for this one. */
  #asked(role: SocketRole, address: Address): string | undefined {
    return this.#isPassed(role) ? undefined : formatAddress(address);
  }

  /** Whether systemd holds the socket too, and its file is not ours. */
  #isPassed(role: SocketRole): boolean {
    const given = this.#given[role];
    return given !== undefined && given.asked === undefined;
  }

  #ownFiles(isOwn: (role: SocketRole) => boolean): void {
    const owns = (role: SocketRole): boolean => isOwn(role) && !this.#isPassed(role);
    this.#threads.server.listening.data.ownsSocketFile = owns('data');
    if (this.#http !== undefined) this.#http.ownsSocketFile = owns('http');
  }

  /** Who connected to a socket that nobody accepts from would wait for ever. */
  #closeUnwanted(): void {
    const { sockets = [], locks = [] } = this.#plan.inherited ?? {};
    const unwanted = sockets.filter(({ role }) => this.#given[role] === undefined);
    for (const fd of unwanted.flatMap(({ fds }) => fds)) closeSync(fd);
    const held = new Set(this.#sets.locks.map(({ name }) => name));
    for (const { name, fd } of locks) {
      if (!held.has(name)) closeSync(fd);
    }
  }
}

/** The log line of a reload. */
function reloadedLine({ access, http }: ServerOptions): string {
  const files = [
    ...(access?.tls === undefined ? [] : ['certificates']),
    ...(access?.userFile === undefined ? [] : ['users']),
    ...(http?.tokenFile === undefined ? [] : ['the token']),
  ];
  const read = files.length === 0 ? '' : `; ${files.join(' and ')} were read again`;
  return `reloaded: drops are looked at again${read}`;
}
