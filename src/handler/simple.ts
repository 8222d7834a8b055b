import type { Storage } from '../storage/storage.ts';
import type { Handler, View } from './handler.ts';
import { StorageView } from './storage-view.ts';

/** Serves one storage: the key is the key. */
class SimpleHandler implements Handler {
  readonly name = 'simple';
  #current: StorageView;

  constructor(storage: Storage) {
    this.#current = new StorageView(storage);
  }

  view(): View {
    return this.#current.retain();
  }

  swap(next: Storage): void {
    const previous = this.#current;
    this.#current = new StorageView(next);
    previous.release();
  }
}

/** Makes the handler that serves one storage at a time, under the keys as they are. */
export function createSimpleHandler(storage: Storage): Handler {
  return new SimpleHandler(storage);
}
