import type { Storage } from './storage.ts';

/** What is served before there is any data: every key is a miss. */
export const emptyStorage: Storage = {
  info: {
    generation: 0,
    keys: 0,
    bytes: 0,
    md5: '',
    format: 'none',
    loadedAt: 0,
  },
  get: () => undefined,
  scan: () => 0,
  close: () => {},
};
