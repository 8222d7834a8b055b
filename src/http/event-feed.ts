import type { ServerResponse } from 'node:http';
import type { FolderEvent } from '../common/status.ts';
import {
  EVENT_BUFFER_BYTES_MAX,
  EVENT_CLIENTS_MAX,
  EVENT_COMMENT_MS,
  EVENTS_KEPT_MAX,
} from './limits.ts';

interface Numbered {
  readonly number: number;
  readonly text: string;
}

/**
 * Sends the events of base folders to clients as server-sent events (WHATWG HTML, section 9.2). An id is
 * the start of the process and a number: a client that comes again is sent what it has missed.
 */
export class EventFeed {
  readonly #clients = new Set<ServerResponse>();
  readonly #era = Date.now();
  #kept: readonly Numbered[] = [];
  #number = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param set The prefix of the data set. */
  add(set: string, event: FolderEvent): void {
    this.#number++;
    const id = `${this.#era}-${this.#number}`;
    const text = `id: ${id}\nevent: folder\ndata: ${JSON.stringify({ dataSet: set, ...event })}\n\n`;
    this.#kept = [...this.#kept, { number: this.#number, text }].slice(-EVENTS_KEPT_MAX);
    for (const client of this.#clients) this.#write(client, text);
  }

  /**
   * Sends events to a client from now on.
   *
   * @param lastId Of the last event that it has seen: it is sent those since. Undefined: only new ones.
   * @returns Whether there is room for it.
   */
  subscribe(client: ServerResponse, lastId: string | undefined): boolean {
    if (this.#clients.size >= EVENT_CLIENTS_MAX) return false;
    this.#clients.add(client);
    client.once('close', () => this.#remove(client));
    client.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    // The comment shows the client at once that it listens.
    this.#write(client, `: goromdb\n\n${this.#missed(lastId)}`);
    this.#timer ??= setInterval(() => {
      for (const one of this.#clients) this.#write(one, ':\n\n');
    }, EVENT_COMMENT_MS);
    this.#timer.unref();
    return true;
  }

  close(): void {
    for (const client of this.#clients) client.end();
  }

  #missed(lastId: string | undefined): string {
    if (lastId === undefined) return '';
    const [era, number] = lastId.split('-', 2);
    // Of another process, none of these has been seen.
    const seen = era === String(this.#era) ? Number(number) : 0;
    return this.#kept.flatMap((one) => (one.number > seen ? one.text : [])).join('');
  }

  #write(client: ServerResponse, text: string): void {
    client.write(text);
    if (client.writableLength > EVENT_BUFFER_BYTES_MAX) client.destroy();
  }

  #remove(client: ServerResponse): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
