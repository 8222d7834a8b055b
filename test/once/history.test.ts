import { describe, expect, test } from 'vitest';
import { cacheStore } from '../../src/once/cache.ts';
import { GroupCommit } from '../../src/once/group-commit.ts';
import { isSame } from '../../src/once/item.ts';
import type { Creation, Item, Reading, Store, Wish } from '../../src/once/once.ts';
import {
  type Client,
  countsOf,
  type Event,
  faultsOf,
  History,
  type Told,
} from '../support/once-history.ts';
import { seededRandom } from '../support/random.ts';

const ASKED = 12_000;

/** A store in memory that several nodes share, which takes its time and loses answers. */
class SharedStore implements Store {
  protected readonly items = new Map<string, Item>();
  protected readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  async read(key: Buffer): Promise<Reading> {
    await this.pause();
    const item = this.items.get(String(key));
    await this.pause();
    return item === undefined ? { kind: 'absent' } : { kind: 'found', item };
  }

  async create(wish: Wish): Promise<Creation> {
    await this.pause();
    const creation = this.decide(wish);
    await this.pause();
    return this.random() < 0.1 ? { kind: 'unknown', why: 'lost' } : creation;
  }

  createAll: Store['createAll'] = (wishes) => Promise.all(wishes.map((wish) => this.create(wish)));

  protected decide(wish: Wish): Creation {
    const item = this.items.get(String(wish.key));
    if (item !== undefined) return { kind: isSame(item, wish) ? 'same' : 'conflict', item };
    const made = { ...wish, revision: this.items.size + 1 };
    this.items.set(String(wish.key), made);
    return { kind: 'created', item: made };
  }

  protected async pause(): Promise<void> {
    for (let i = this.random() * 5; i > 0; i--) await new Promise((go) => setImmediate(go));
  }
}

function clientOf(store: Store): Client {
  return {
    async create(key, value) {
      const wish = { key: Buffer.from(key), value: Buffer.from(value), flags: 0, type: '' };
      const { kind } = await store.create(wish);
      return { kind: kind === 'unavailable' || kind === 'full' ? 'failed' : kind };
    },
    async read(key) {
      const reading = await store.read(Buffer.from(key));
      if (reading.kind === 'found') return { kind: 'found', value: String(reading.item.value) };
      return { kind: reading.kind === 'absent' ? 'absent' : 'unknown' };
    },
  };
}

/** Plays a history on three nodes. */
async function played(
  storeOf: (random: () => number) => Store,
  nodeOf = (store: Store): Store => cacheStore(store, 1e7),
): Promise<History> {
  const random = seededRandom(7);
  const store = storeOf(random);
  const clients = [0, 1, 2].map(() => clientOf(nodeOf(store)));
  const history = new History();
  await history.play(clients, random, 4, () => history.events.length >= ASKED);
  return history;
}

test('a history of three nodes breaks no guarantee, and has all outcomes', async () => {
  const { events } = await played((random) => new SharedStore(random));
  expect(faultsOf(events)).toEqual([]);
  expect(Object.keys(countsOf(events)).sort()).toEqual([
    ...['absent', 'conflict', 'created', 'found', 'same', 'unknown'],
  ]);
});

type Creations = readonly Creation[];

/** A node that has creates go together. @param mix What becomes of the outcomes of a transaction. */
function grouping(mix: (creations: Creations) => Creations): (store: Store) => Store {
  return (store) => {
    const group = new GroupCommit(async (wishes) =>
      mix(await Promise.all(wishes.map((wish) => store.create(wish)))),
    );
    const create: Store['create'] = (wish) => group.create(wish);
    const createAll: Store['createAll'] = (wishes) => group.createAll(wishes);
    return cacheStore({ read: (key) => store.read(key), create, createAll }, 1e7);
  };
}

test('a history of nodes that create keys together breaks no guarantee', async () => {
  const nodeOf = grouping((creations) => creations);
  const { events } = await played((random) => new SharedStore(random), nodeOf);
  expect(faultsOf(events)).toEqual([]);
});

describe('the checker finds', () => {
  test('keys that were created together and get the outcomes of each other', async () => {
    const nodeOf = grouping((creations) => [...creations.slice(1), creations[0]]);
    const { events } = await played((random) => new SharedStore(random), nodeOf);
    expect(faultsOf(events).length).toBeGreaterThan(0);
  });

  test('a create that does not compare', async () => {
    class Overwriting extends SharedStore {
      protected override decide(wish: Wish): Creation {
        this.items.delete(String(wish.key));
        return super.decide(wish);
      }
    }
    const faults = faultsOf((await played((random) => new Overwriting(random))).events);
    expect(faults.join('\n')).toMatch(/has several values/);
    expect(faults.join('\n')).toMatch(/was created twice/);
  });

  test('that an absent key is cached', async () => {
    const caching = (store: Store): Store => {
      const absent = new Set<string>();
      const node = cacheStore(store, 1e7);
      return {
        ...node,
        async read(key) {
          if (absent.has(String(key))) return { kind: 'absent' };
          const reading = await node.read(key);
          if (reading.kind === 'absent') absent.add(String(key));
          return reading;
        },
      };
    };
    const { events } = await played((random) => new SharedStore(random), caching);
    expect(faultsOf(events).join('\n')).toMatch(/was absent after it was acknowledged/);
  });

  test('a read that joins a question that was asked before it', async () => {
    const joining = (store: Store): Store => {
      const flights = new Map<string, Promise<Reading>>();
      return {
        create: (wish) => store.create(wish),
        createAll: (wishes) => store.createAll(wishes),
        read(key) {
          const name = String(key);
          const flight =
            flights.get(name) ?? store.read(key).finally(() => void flights.delete(name));
          flights.set(name, flight);
          return flight;
        },
      };
    };
    const { events } = await played((random) => new SharedStore(random), joining);
    expect(faultsOf(events).join('\n')).toMatch(/was absent after it was acknowledged/);
  });

  test('a read from a follower that lags behind', async () => {
    class Lagging extends SharedStore {
      override async read(key: Buffer): Promise<Reading> {
        const reading = await super.read(key);
        const isNew = reading.kind === 'found' && reading.item.revision > this.items.size - 3;
        return isNew && this.random() < 0.5 ? { kind: 'absent' } : reading;
      }
    }
    const { events } = await played((random) => new Lagging(random));
    expect(faultsOf(events).join('\n')).toMatch(/was absent after it was acknowledged/);
  });

  test('an unknown outcome that is called a failure', async () => {
    class Denying extends SharedStore {
      override async create(wish: Wish): Promise<Creation> {
        const creation = await super.create(wish);
        return creation.kind === 'unknown' ? { ...creation, kind: 'unavailable' } : creation;
      }
    }
    const { events } = await played((random) => new Denying(random));
    expect(faultsOf(events).join('\n')).toMatch(/a create was called failed/);
  });

  /** Of a client that hears late what came of its create: another one has created the key by then. */
  async function readBehind(told: Told): Promise<readonly Event[]> {
    const history = new History();
    const absent = async (): Promise<Told> => ({ kind: 'absent' });
    const another: Client = { create: async () => ({ kind: 'created' }), read: absent };
    const create: Client['create'] = async (key) => {
      await history.create(another, key);
      return told;
    };
    await history.createBetween({ create, read: absent }, 'k');
    return history.events;
  }

  const CREATED = { start: 0, end: 1, key: 'k', wish: 'v', told: { kind: 'created' } } as const;
  const later = { start: 2, end: 3, key: 'k' } as const;

  test.each<[string, Event]>([
    ['nobody wrote x', { ...later, told: { kind: 'found', value: 'x' } }],
    ['has several values: v, w', { ...later, wish: 'w', told: { kind: 'same' } }],
    ['was created twice', { ...later, wish: 'v', told: { kind: 'created' } }],
    ['was created after it was there', { ...later, wish: 'v', told: { kind: 'created' } }],
    ['conflicts with its own value', { ...later, wish: 'v', told: { kind: 'conflict' } }],
    ['was absent after it was acknowledged', { ...later, told: { kind: 'absent' } }],
  ])('that a key %s', (fault, event) => {
    expect(faultsOf([CREATED])).toEqual([]);
    expect(faultsOf([CREATED, event]).join('\n')).toContain(`k: ${fault}`);
  });

  test.each(['unknown', 'failed'] as const)(
    'no fault in an absence behind a create that came to %s',
    async (kind) => {
      expect(faultsOf(await readBehind({ kind }))).toEqual([]);
    },
  );

  test('an absence behind a create that was acknowledged', async () => {
    const faults = faultsOf(await readBehind({ kind: 'same' }));
    expect(faults).toContain('k: was absent after it was acknowledged');
  });

  test('no fault in what a node with -stale-reads may say, and in nothing more of it', () => {
    expect(faultsOf([CREATED, { ...later, told: { kind: 'absent' }, isStale: true }])).toEqual([]);
    const other = { ...later, told: { kind: 'found', value: 'w' }, isStale: true } as const;
    expect(faultsOf([CREATED, other]).length).toBeGreaterThan(0);
  });
});
