import type { Batch, DataSetInfo, Entry, Storage } from '../storage/storage.ts';
import type { View } from './handler.ts';

/** A storage with a count of who uses it: the handler itself, and each command under way. */
export class StorageView implements View {
  readonly info: DataSetInfo;
  readonly batch: Batch | undefined;
  readonly scan: View['scan'];
  readonly #storage: Storage;
  #users = 1;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.info = storage.info;
    this.batch = storage.batch;
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
