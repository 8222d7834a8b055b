import { compared } from './item.ts';
import type { Creation, Layer, Store, Wish } from './once.ts';

/**
 * Puts a layer in front of a store. What the layer has is final: it answers reads, and it decides what
 * comes of a creation, and the store is not asked. What the layer cannot say, nobody says.
 */
export function withLayer(layer: Layer, store: Store): Store {
  /** @returns undefined: the layer does not have the key. */
  const decided = async (wish: Wish): Promise<Creation | undefined> => {
    const reading = await layer.read(wish.key);
    return reading.kind === 'absent' ? undefined : compared(wish, reading);
  };

  return {
    async read(key) {
      const reading = await layer.read(key);
      return reading.kind === 'absent' ? store.read(key) : reading;
    },
    create: async (wish) => (await decided(wish)) ?? store.create(wish),
    async createAll(wishes) {
      const known = await Promise.all(wishes.map(decided));
      const rest = wishes.filter((_, i) => known[i] === undefined);
      const others = rest.length === 0 ? [] : await store.createAll(rest);
      let next = 0;
      return known.map((creation) => creation ?? others[next++]);
    },
  };
}
