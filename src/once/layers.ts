import { compared } from './item.ts';
import type { Creation, Layer, Reading, Store, Wish } from './once.ts';

/** What a layer says of a creation; undefined: it does not have the key. */
type Decision = Creation | undefined;

function decisionOf(wish: Wish, reading: Reading): Decision {
  return reading.kind === 'absent' ? undefined : compared(wish, reading);
}

function isDecision(decision: Decision | Promise<Decision>): decision is Decision {
  return !(decision instanceof Promise);
}

/**
 * Puts a layer in front of a store. What the layer has is final: it answers reads, and it decides what
 * comes of a creation, and the store is not asked. What the layer cannot say, nobody says.
 */
export function withLayer(layer: Layer, store: Store): Store {
  const decided = (wish: Wish): Decision | Promise<Decision> => {
    const reading = layer.read(wish.key);
    return reading instanceof Promise
      ? reading.then((found) => decisionOf(wish, found))
      : decisionOf(wish, reading);
  };

  return {
    async read(key) {
      const reading = await layer.read(key);
      return reading.kind === 'absent' ? store.read(key) : reading;
    },
    create: async (wish) => (await decided(wish)) ?? store.create(wish),
    async createAll(wishes) {
      const found = wishes.map(decided);
      // A layer that answers at once costs no promise for each key.
      const known = found.every(isDecision) ? found : await Promise.all(found);
      const rest = wishes.filter((_, i) => known[i] === undefined);
      const others = rest.length === 0 ? [] : await store.createAll(rest);
      let next = 0;
      return known.map((creation) => creation ?? others[next++]);
    },
  };
}
