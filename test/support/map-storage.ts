import type { Entry, Storage } from '../../src/storage/storage.ts';

/** A user's own storage over a Map: values that are not kept in wire form. */
export function mapStorage(records: ReadonlyMap<string, Buffer>, generation = 1): Storage {
  return {
    info: {
      generation,
      keys: records.size,
      bytes: 0,
      md5: '',
      format: 'map',
      loadedAt: Date.now(),
    },
    get(key, start, end): Entry | undefined {
      const value = records.get(key.toString('latin1', start, end));
      if (value === undefined) return undefined;
      return {
        buffer: value,
        valueStart: 0,
        valueEnd: value.length,
        flags: 0,
        cas: generation,
        wireStart: -1,
      };
    },
    close: () => {},
  };
}
