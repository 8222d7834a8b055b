import type { View } from '../../handler/handler.ts';
import { emptyStorage } from '../../storage/empty.ts';
import type { Entry } from '../../storage/storage.ts';
import { keyFault } from '../item.ts';
import type { Item } from '../once.ts';

/** What keys were set to that were read for one request; undefined: etcd has said that it is absent. */
export type Known = ReadonlyMap<string, Item | undefined>;

/** Answers from what was read, and from nothing else. */
export function viewOf(known: Known): View {
  return {
    info: emptyStorage.info,
    get(key, start, end) {
      const name = key.toString('latin1', start, end);
      if (known.has(name)) return entryOf(known.get(name));
      // Nobody can set such a key.
      if (keyFault(key.subarray(start, end)) !== undefined) return undefined;
      throw new Error(`the key ${JSON.stringify(name)} was not read for this request`);
    },
    release() {},
  };
}

function entryOf(item: Item | undefined): Entry | undefined {
  if (item === undefined) return undefined;
  const { value, flags, revision } = item;
  const place = { buffer: value, valueStart: 0, valueEnd: value.length, wireStart: -1 };
  return { ...place, flags, cas: revision };
}
