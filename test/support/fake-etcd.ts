import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

interface Held {
  readonly value: string;
  readonly created: number;
  readonly modified: number;
}

type Json = Record<string, unknown>;

/** What becomes of the next requests of a path. */
export type Mishap =
  /** Nothing is done, and the connection is cut. */
  | 'cut-before'
  /** It is done, and the connection is cut before the answer. */
  | 'cut-after'
  /** The answer is this text, with status 200. */
  | { readonly text: string }
  /** An error of gRPC. */
  | { readonly status: number; readonly code: number; readonly message: string };

const STATUS = {
  ...{ header: { member_id: '7' }, leader: '7', raftTerm: '3', version: '3.4.0' },
  ...{ dbSize: '4096', dbSizeInUse: '1024', errors: [] as readonly string[] },
};

/** What a full etcd says. */
const FULL: Mishap = { status: 429, code: 8, message: 'mvcc: database space exceeded' };

/** As much of etcd's gateway as the client uses, in memory, with mishaps on demand. */
export class FakeEtcd {
  readonly keys = new Map<string, Held>();
  readonly asked: string[] = [];
  /** Connections that were made to it. */
  connections = 0;
  revision = 1;
  url = '';
  /** What the path ends in, and what happens to each request for it until it is removed. */
  readonly mishaps = new Map<string, Mishap>();
  /** Requests wait for this. */
  gate: Promise<void> | undefined;
  compactedBelow = 0;
  /** Transactions that might put something are refused. */
  isFull = false;
  /** A transaction with this key is refused. */
  refused: string | undefined;
  /** Transactions with more steps are refused. */
  operationsMax = 128;
  readonly #server: http.Server;
  readonly #leases = new Map<string, Set<string>>();
  readonly #watches = new Set<{ has(name: string): boolean; response: ServerResponse }>();

  private constructor() {
    this.#server = http.createServer((request, response) => void this.#serve(request, response));
    this.#server.on('connection', () => this.connections++);
  }

  static async start(): Promise<FakeEtcd> {
    const fake = new FakeEtcd();
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    fake.url = `http://127.0.0.1:${(fake.#server.address() as AddressInfo).port}`;
    onTestFinished(() => fake.close());
    return fake;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** As etcd does when the token of a watch is no longer valid. */
  cancelWatches(): void {
    for (const { response } of this.#watches) {
      response.end(`${JSON.stringify({ result: { canceled: true } })}\n`);
    }
  }

  cutWatches(): void {
    for (const { response } of this.#watches) response.destroy();
  }

  /** Forgets all leases, and what depends on them. */
  expireLeases(): void {
    for (const id of [...this.#leases.keys()]) this.#revoke(id);
  }

  put(key: string, value: string): void {
    this.revision++;
    const name = base64(key);
    this.#set(name, base64(value));
  }

  remove(key: string): void {
    this.#remove(base64(key));
  }

  #remove(name: string): void {
    this.revision++;
    this.keys.delete(name);
    this.#notify(name, { type: 'DELETE', kv: { key: name, ...this.#rev() } });
  }

  #grant(): string {
    const id = String(this.#leases.size + 42);
    this.#leases.set(id, new Set());
    return id;
  }

  #revoke(id: string): void {
    for (const name of this.#leases.get(id) ?? []) this.#remove(name);
    this.#leases.delete(id);
  }

  #rev(): Json {
    return { mod_revision: String(this.revision) };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      response.end('etcd_server_quota_backend_bytes 2.147483648e+09\n');
      return;
    }
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    const body = JSON.parse(Buffer.concat(pieces).toString()) as Json;
    const path = request.url!.replace(/^.*\//, '');
    this.asked.push(path);
    await this.gate;
    const mishap = this.mishaps.get(path) ?? (path === 'txn' ? this.#refusal(body) : undefined);
    if (mishap === 'cut-before') {
      response.destroy();
      return;
    }
    if (typeof mishap === 'object' && 'text' in mishap) {
      response.end(mishap.text);
      return;
    }
    if (typeof mishap === 'object') {
      const { status, code, message } = mishap;
      response.writeHead(status).end(JSON.stringify({ error: message, code, message }));
      return;
    }
    if (path === 'watch') {
      this.#watch(body.create_request as Json, response);
      return;
    }
    const answer = this.#answer(path, body);
    if (mishap === 'cut-after') response.destroy();
    else response.end(JSON.stringify({ header: { revision: String(this.revision) }, ...answer }));
  }

  /** What etcd says of a transaction that it does not take (its server/etcdserver/api/v3rpc/key.go). */
  #refusal(body: Json): Mishap | undefined {
    const names = namesPut(body);
    const refuse = (message: string): Mishap => ({ status: 400, code: 3, message });
    if (names.length >= this.operationsMax) return refuse('too many operations in txn request');
    if (new Set(names).size < names.length) return refuse('duplicate key given in txn request');
    if (this.isFull && names.length > 0) return FULL;
    const isRefused = names.some((name) => text(name) === this.refused);
    return isRefused ? refuse('the key is refused by a test') : undefined;
  }

  #answer(path: string, body: Json): Json {
    if (path === 'range') return this.#range(body);
    if (path === 'put') {
      this.revision++;
      this.#set(body.key as string, body.value as string);
      this.#leases.get(body.lease as string)?.add(body.key as string);
      return {};
    }
    if (path === 'txn') return this.#transact(body, { isBumped: false });
    if (path === 'status') return STATUS;
    if (path === 'list') return { members: [{ ID: '7', name: 'e1', clientURLs: [this.url] }] };
    if (path === 'grant') return { ID: this.#grant(), TTL: '6' };
    if (path === 'keepalive') {
      return { result: { ...(this.#leases.has(body.ID as string) && { TTL: '6' }) } };
    }
    if (path === 'revoke') this.#revoke(body.ID as string);
    if (path === 'authenticate') return { token: 'a.token' };
    return {};
  }

  #range({ key, range_end: end, keys_only: keysOnly, count_only: countOnly, limit }: Json): Json {
    const from = text(key);
    const to = text(end);
    const kvs = [...this.keys]
      .filter(([name]) => (end ? text(name) >= from && text(name) < to : name === key))
      .sort(([a], [b]) => (text(a) < text(b) ? -1 : 1))
      .map(([name, held]) => ({
        key: name,
        ...(!keysOnly && { value: held.value }),
        create_revision: String(held.created),
        mod_revision: String(held.modified),
      }));
    if (countOnly) return { count: String(kvs.length) };
    const max = Number(limit ?? kvs.length);
    return { kvs: kvs.slice(0, max), more: kvs.length > max };
  }

  #transact(body: Json, run: { isBumped: boolean }): Json {
    const compares = (body.compare ?? []) as Json[];
    const succeeded = compares.every(({ key, target, ...c }) => {
      const held = this.keys.get(key as string);
      if (target === 'CREATE') return String(held?.created ?? 0) === (c.create_revision ?? '0');
      if (target === 'MOD') return String(held?.modified ?? 0) === c.mod_revision;
      return held?.value === c.value;
    });
    const steps = (body[succeeded ? 'success' : 'failure'] ?? []) as Record<string, Json>[];
    const responses = steps.map((step) => {
      if (step.request_range) return { response_range: this.#range(step.request_range) };
      if (step.request_txn) return { response_txn: this.#transact(step.request_txn, run) };
      if (step.request_put) {
        if (!run.isBumped) this.revision++;
        run.isBumped = true;
        this.#set(step.request_put.key as string, step.request_put.value as string);
      }
      return { response_put: {} };
    });
    return { succeeded, responses };
  }

  #set(name: string, value: string): void {
    const created = this.keys.get(name)?.created ?? this.revision;
    this.keys.set(name, { value, created, modified: this.revision });
    const kv = { key: name, value, create_revision: String(created), ...this.#rev() };
    this.#notify(name, { kv });
  }

  #watch({ key, range_end: end, start_revision: start }: Json, response: ServerResponse): void {
    response.writeHead(200);
    if (Number(start) < this.compactedBelow) {
      const result = { canceled: true, compact_revision: String(this.compactedBelow) };
      response.end(`${JSON.stringify({ result })}\n`);
      return;
    }
    const has = (name: string): boolean => text(name) >= text(key) && text(name) < text(end);
    const watch = { has, response };
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
    response.write(`${JSON.stringify({ result: { created: true } })}\n`);
    for (const [name, held] of this.keys) {
      if (held.modified < Number(start) || !has(name)) continue;
      const kv = {
        ...{ key: name, value: held.value },
        ...{ create_revision: String(held.created), mod_revision: String(held.modified) },
      };
      response.write(`${JSON.stringify({ result: { events: [{ kv }] } })}\n`);
    }
  }

  #notify(name: string, event: Json): void {
    for (const { has, response } of this.#watches) {
      if (!has(name)) continue;
      response.write(`${JSON.stringify({ result: { events: [event] } })}\n`);
    }
  }
}

/** Keys that a transaction puts, and those inside of it. */
function namesPut({ success = [] }: Json): readonly string[] {
  return (success as Record<string, Json>[]).flatMap(({ request_put: put, request_txn: inner }) => {
    return [...(put ? [put.key as string] : []), ...(inner ? namesPut(inner) : [])];
  });
}

function base64(value: string): string {
  return Buffer.from(value, 'latin1').toString('base64');
}

function text(value: unknown): string {
  return Buffer.from(String(value ?? ''), 'base64').toString('latin1');
}
