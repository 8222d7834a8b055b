import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls, { type ConnectionOptions } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { drop } from './drop.ts';
import { temporaryFolder } from './folder.ts';
import { type Exchange, GoodClient } from './good-client.ts';
import { GoromdbProcess } from './goromdb-process.ts';
import { isLong } from './long.ts';
import { PATIENCE_MS } from './patience.ts';
import { RawClient } from './raw-client.ts';
import { forgetPeak, type Vitals, vitalsOf } from './vitals.ts';

const MIB = 1024 * 1024;

/** The good client and the one that watches. */
const OWN_CONNECTIONS = 2;

/**
 * No answer may take longer, in processor time of the server: a sign of life, not a measure of speed. By the clock
 * it was 7.6 s on a machine that was far too busy (2026-11-29).
 */
const ANSWER_MS_MAX = 5_000;
/** By the clock: a server that waits takes no processor time. */
const SILENCE_MS_MAX = 60_000;

/**
 * A heap of JavaScript never shrinks to quite its former size, and V8 keeps tens of MiB of unused
 * buffers until it allocates. The attacks on memory would take far more than that.
 */
const LASTING_BYTES_MAX = 128 * MIB;

/** Connections that begin at once: the kernel keeps few that were not accepted yet. */
const CONNECTING_MAX = 200;

const LARGE_BYTES = MIB;

export const RECORDS: Readonly<Record<string, string>> = {
  plain: 'value',
  empty: '',
  // Not so large that a reply lends it instead of copying it.
  middle: 'm'.repeat(10_000),
  large: 'l'.repeat(LARGE_BYTES),
};

/** A hit as it is answered. */
export function block(key: string): string {
  return `VALUE ${key} 0 ${RECORDS[key].length}\r\n${RECORDS[key]}\r\n`;
}

const EXCHANGES: readonly Exchange[] = [
  { request: 'get plain\r\n', answer: `${block('plain')}END\r\n` },
  {
    request: 'get middle none empty plain\r\n',
    answer: `${block('middle')}${block('empty')}${block('plain')}END\r\n`,
  },
  { request: 'get none\r\n', answer: 'END\r\n' },
];

const pem = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));

/** Flags that make the server speak TLS only. */
const TLS_FLAGS = ['-tls-cert', pem('server.pem'), '-tls-key', pem('server.key')];

/** How clients reach a server. */
export type Transport = 'TCP' | 'a UNIX socket' | 'TLS';

export const TRANSPORTS: readonly Transport[] = isLong ? ['TCP', 'a UNIX socket', 'TLS'] : ['TCP'];

/** A server in a process of its own, for clients that mean no good. */
export class Victim {
  readonly address: Address;
  readonly #process: GoromdbProcess;
  readonly #tls: ConnectionOptions | undefined;
  readonly #watcher: RawClient;
  /** What the attackers' bytes go through: under TLS, what it runs over. */
  readonly #attackers = new Set<net.Socket>();

  private constructor(
    address: Address,
    goromdb: GoromdbProcess,
    options: ConnectionOptions | undefined,
    watcher: RawClient,
  ) {
    this.address = address;
    this.#process = goromdb;
    this.#tls = options;
    this.#watcher = watcher;
  }

  static start(...flags: readonly string[]): Promise<Victim> {
    return Victim.startOver('TCP', ...flags);
  }

  static startOver(transport: Transport, ...flags: readonly string[]): Promise<Victim> {
    return Victim.startWith(RECORDS, transport, flags);
  }

  /** @param records Must have those that every victim has. */
  static async startWith(
    records: Readonly<Record<string, string>>,
    transport: Transport,
    flags: readonly string[],
  ): Promise<Victim> {
    const folder = temporaryFolder();
    const file = join(folder, 'data.json');
    drop(file, JSON.stringify(records));
    const isUnix = transport === 'a UNIX socket';
    const isTls = transport === 'TLS';
    const where = isUnix ? ['-s', join(folder, 'socket')] : ['-addr', '127.0.0.1:0'];
    const how = isTls ? TLS_FLAGS : [];
    const goromdb = new GoromdbProcess(['-file', file, ...where, ...how, ...flags]);
    const address = await goromdb.address();
    await goromdb.says(/ serves from /);
    const ca = readFileSync(pem('ca.pem'));
    const options = isTls ? { ca, servername: 'localhost' } : undefined;
    const watcher = await RawClient.connect(address, options);
    const victim = new Victim(address, goromdb, options, watcher);
    onTestFinished(() => victim.#resetAttackers());
    return victim;
  }

  /** A connection that does nothing by itself: it does not read either. */
  async attacker(): Promise<net.Socket> {
    const socket = await this.bareAttacker();
    if (this.#tls === undefined) return socket;
    const encrypted = tls.connect({ ...this.#tls, socket });
    encrypted.on('error', () => {});
    await once(encrypted, 'secureConnect');
    return encrypted;
  }

  /** As `attacker`, without TLS in any case. */
  async bareAttacker(): Promise<net.Socket> {
    const { address } = this;
    const target =
      address.kind === 'unix' ? { path: address.path } : { port: address.port, host: '127.0.0.1' };
    const socket = net.connect({ ...target, allowHalfOpen: true });
    this.#attackers.add(socket);
    // It is here to be cut off.
    socket.on('error', () => {});
    socket.once('close', () => this.#attackers.delete(socket));
    await once(socket, 'connect');
    return socket;
  }

  bareAttackers(count: number): Promise<net.Socket[]> {
    return connectAll(count, () => this.bareAttacker());
  }

  attackers(count: number): Promise<net.Socket[]> {
    return connectAll(count, () => this.attacker());
  }

  async stats(): Promise<Record<string, string>> {
    const text = await this.#watcher.ask('stats\r\n', 'END\r\n');
    return Object.fromEntries(
      [...text.matchAll(/^STAT (\S+) (.*)\r$/gm)].map(([, name, value]) => [name, value]),
    );
  }

  /** Has a value sent once, to a client that reads. */
  async reads(key: string, bytes: number): Promise<void> {
    const socket = await this.attacker();
    socket.write(`get ${key}\r\n`);
    let received = 0;
    for await (const chunk of socket) {
      received += (chunk as Buffer).length;
      if (received > bytes) break;
    }
    expect(received).toBeGreaterThan(bytes);
  }

  /** Waits until so many connections of attackers are open, as far as the server knows. */
  async hasAttackers(count: number, timeout = PATIENCE_MS): Promise<void> {
    const open = async (): Promise<number> => Number((await this.stats()).curr_connections);
    await expect.poll(open, { timeout, interval: 20 }).toBe(OWN_CONNECTIONS + count);
  }

  /**
   * Attacks the server while a good client uses it. Then the attackers go, and all must be as it was
   * before: connections, descriptors, memory. A client that comes then is served.
   *
   * @param peakBytesMax How far memory may rise while the attack lasts.
   */
  async endures(peakBytesMax: number, attack: () => Promise<void>): Promise<void> {
    const good = await GoodClient.start(
      this.address,
      EXCHANGES,
      this.#process.child.pid!,
      this.#tls,
    );
    await this.hasAttackers(0);
    forgetPeak(this.#process.child.pid!);
    const before = this.#vitals();
    await attack();
    this.#resetAttackers();
    await this.hasAttackers(0);
    await this.#expectRecovery(before);
    const peak = this.#vitals()?.peakBytes ?? 0;
    expect(peak - (before?.residentBytes ?? 0)).toBeLessThan(peakBytesMax);
    const { answers, wrong, slowestMs, costliestMs } = await good.stop();
    expect(wrong).toEqual([]);
    expect(answers).toBeGreaterThan(0);
    expect(costliestMs).toBeLessThan(ANSWER_MS_MAX);
    expect(slowestMs).toBeLessThan(SILENCE_MS_MAX);
    const newcomer = await RawClient.connect(this.address, this.#tls);
    expect(await newcomer.ask('get plain\r\n', 'END\r\n')).toBe(`${block('plain')}END\r\n`);
    newcomer.socket.destroy();
    // The server logs its own faults as errors.
    expect(this.#process.stderr).not.toMatch(/error/i);
  }

  #resetAttackers(): void {
    for (const socket of this.#attackers) reset(socket);
  }

  #vitals(): Vitals | undefined {
    return vitalsOf(this.#process.child.pid!);
  }

  async #expectRecovery(before: Vitals | undefined): Promise<void> {
    if (before === undefined) return;
    const now = (): Vitals => this.#vitals()!;
    const patience = { timeout: PATIENCE_MS, interval: 50 };
    // Fewer when the loader's worker has ended meanwhile.
    await expect.poll(() => now().descriptors, patience).toBeLessThanOrEqual(before.descriptors);
    const most = before.residentBytes + LASTING_BYTES_MAX;
    await expect.poll(() => now().residentBytes, patience).toBeLessThan(most);
  }
}

async function connectAll(
  count: number,
  connect: () => Promise<net.Socket>,
): Promise<net.Socket[]> {
  const sockets: net.Socket[] = [];
  while (sockets.length < count) {
    const more = Math.min(CONNECTING_MAX, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: more }, connect))));
  }
  return sockets;
}

/** Ends a connection as rudely as it can be done: only TCP has a reset. */
export function reset(socket: net.Socket): void {
  if (socket.remoteAddress === undefined || socket instanceof tls.TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

/** Reads all that still comes; the connection may end well or badly. */
export function readToEnd(socket: net.Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (more: string) => {
    text += more;
  });
  return new Promise((resolve) => {
    const finish = (): void => resolve(text);
    socket.once('end', finish).once('close', finish);
  });
}
