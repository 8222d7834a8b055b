/** What clients of set-once keys were told, and when: and what of it cannot be. */
export type Told =
  | { readonly kind: 'created' | 'same' | 'conflict' }
  /** It may have been created; or a read was not answered. */
  | { readonly kind: 'unknown' }
  /** It was not created, and will not be. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'absent' };

export interface Event {
  readonly start: number;
  readonly end: number;
  readonly key: string;
  /** What was to be created; undefined: it was a read. */
  readonly wish?: string;
  readonly told: Told;
  /** Whether it was told by a node that may be behind. */
  readonly isStale?: boolean;
}

/** Somebody who asks a node. */
export interface Client {
  /** Whether it may be behind: it runs with `-stale-reads`. */
  readonly isStale?: boolean;
  /** Whether what is asked without waiting is done in the order in which it was asked. */
  readonly isInOrder?: boolean;
  create(key: string, value: string): Promise<Told>;
  read(key: string): Promise<Told>;
}

/** Asks at random, and keeps what was said. Each wish has a value of its own, but for some. */
export class History {
  readonly events: Event[] = [];
  #clock = 0;
  #values = 0;

  /** @param isOver Whether to ask no more. */
  async play(
    clients: readonly Client[],
    random: () => number,
    keysAtOnce: number,
    isOver: () => boolean,
  ): Promise<void> {
    let asked = 0;
    const below = (limit: number): number => Math.floor(random() * limit);
    const ask = async (): Promise<void> => {
      while (!isOver()) {
        const client = clients[below(clients.length)];
        asked++;
        if (below(4) === 0) {
          // Nobody else wants it: whether it was created hangs on this one answer.
          await this.create(client, `own${asked}`);
          continue;
        }
        // Keys grow old: what is asked is among the newest.
        const key = `k${Math.floor(asked / 40) + below(keysAtOnce)}`;
        if (client.isInOrder === true && below(4) === 0) await this.createBetween(client, key);
        else if (below(2) === 0) await this.read(client, key);
        else await this.create(client, key, below(4) === 0 ? 'shared' : undefined);
      }
    };
    await Promise.all(Array.from({ length: 3 * clients.length }, ask));
  }

  async create(client: Client, key: string, value?: string): Promise<Told> {
    const wish = value ?? `v${this.#values++}`;
    const start = this.#clock++;
    const told = await client.create(key, wish);
    this.events.push({ start, end: this.#clock++, key, wish, told });
    return told;
  }

  /** A read, a create and a read that are sent at once: the second read comes after the create. */
  async createBetween(client: Client, key: string): Promise<void> {
    const wish = `v${this.#values++}`;
    const asked = { start: this.#clock++, key };
    const [before, told, after] = await Promise.all([
      ...[client.read(key), client.create(key, wish), client.read(key)],
    ]);
    this.events.push({ ...asked, end: this.#clock++, told: before });
    this.events.push({ ...asked, end: this.#clock++, wish, told });
    // Of a create that came to nothing the client may have heard late, when others had created the key since.
    const start = KNOWS.includes(told.kind) ? this.#clock++ : asked.start;
    this.events.push({ key, start, end: this.#clock++, told: after });
  }

  async read(client: Client, key: string): Promise<Told> {
    const start = this.#clock++;
    const told = await client.read(key);
    const { isStale = false } = client;
    this.events.push({ start, end: this.#clock++, key, told, isStale });
    return told;
  }
}

/** Whatever breaks what docs/once.md guarantees. */
export function faultsOf(events: readonly Event[]): readonly string[] {
  const byKey = new Map<string, Event[]>();
  for (const event of events) {
    const some = byKey.get(event.key);
    if (some === undefined) byKey.set(event.key, [event]);
    else some.push(event);
  }
  return [...byKey].flatMap(([key, some]) => faultsOfKey(some).map((fault) => `${key}: ${fault}`));
}

function faultsOfKey(events: readonly Event[]): readonly string[] {
  const faults: string[] = [];
  const wishes = events.filter(({ wish }) => wish !== undefined);
  const values = new Set(events.flatMap(acknowledged));
  if (values.size > 1) faults.push(`has several values: ${[...values].join(', ')}`);
  const [value] = values;
  for (const one of values) {
    if (!wishes.some(({ wish }) => wish === one)) faults.push(`nobody wrote ${one}`);
  }
  if (wishes.filter(({ told }) => told.kind === 'created').length > 1) {
    faults.push('was created twice');
  }
  const known = events.filter(({ told }) => KNOWS.includes(told.kind));
  const since = Math.min(...known.map(({ end }) => end));
  for (const { start, wish, told, isStale = false } of events) {
    if (start > since && told.kind === 'absent' && !isStale)
      faults.push('was absent after it was acknowledged');
    if (start > since && told.kind === 'created') faults.push('was created after it was there');
    if (told.kind === 'conflict' && wish === value) faults.push('conflicts with its own value');
    const isOwn = wishes.filter((other) => other.wish === wish).length === 1;
    if (told.kind === 'failed' && wish === value && isOwn)
      faults.push('a create was called failed');
  }
  return faults;
}

/** What is said only of a key that is there. */
const KNOWS: readonly string[] = ['created', 'same', 'conflict', 'found'];

function acknowledged({ wish, told }: Event): readonly string[] {
  if (told.kind === 'found') return [told.value];
  return wish !== undefined && (told.kind === 'created' || told.kind === 'same') ? [wish] : [];
}

/** How often each thing was said. */
export function countsOf(events: readonly Event[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { told } of events) counts[told.kind] = (counts[told.kind] ?? 0) + 1;
  return counts;
}
