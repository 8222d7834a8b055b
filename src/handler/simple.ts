import type { DataSetInfo, Entry, Storage } from '../storage/storage.ts';
import type { Handler, View } from './handler.ts';

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

/** A storage with a count of who uses it: the handler itself, and each command under way. */
class StorageView implements View {
  readonly info: DataSetInfo;
  readonly prefetch: View['prefetch'];
  readonly scan: View['scan'];
  readonly #storage: Storage;
  #users = 1;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.info = storage.info;
    this.prefetch = storage.prefetch?.bind(storage);
    this.scan = storage.scan?.bind(storage);
  }

  retain(): this {
    this.#users++;
    return this;
  }

  get(key: Buffer, start: number, end: number): Entry | undefined {
    return this.#storage.get(key, start, end);
  }

  release(): void {
    this.#users--;
    if (this.#users === 0) this.#storage.close();
  }
}

/** Makes the handler that serves one storage at a time, under the keys as they are. */
export function createSimpleHandler(storage: Storage): Handler {
  return new SimpleHandler(storage);
}
