import type { Lease } from '../storage/storage.ts';

/** The large values that one connection keeps in memory, whole. */
export interface ValueMemory {
  bytes: number;
}

/** A large value that another server has sent: it counts while it is known, and until the client has read it. */
export class KeptValue implements Lease {
  readonly #memory: ValueMemory;
  readonly #bytes: number;
  #holders = 1;

  constructor(memory: ValueMemory, bytes: number) {
    this.#memory = memory;
    this.#bytes = bytes;
    memory.bytes += bytes;
  }

  retain(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.#memory.bytes -= this.#bytes;
  }
}
