import type { Refusal } from '../writes.ts';

const CR = 0x0d;
const LF = 0x0a;

/** The data of a refused write, which goes by without being kept. */
export class DataBlock {
  readonly #refusal: Refusal;
  /** Bytes to come, with the two that must be `\r\n`. */
  #remaining: number;
  #endsWell = true;

  constructor(refusal: Refusal, bytes: number) {
    this.#refusal = refusal;
    this.#remaining = bytes + 2;
  }

  get isOver(): boolean {
    return this.#remaining === 0;
  }

  get endsWell(): boolean {
    return this.#endsWell;
  }

  /** What to say when it is over; undefined for nothing. */
  get reply(): string | undefined {
    return this.#endsWell ? this.#refusal.reply : this.#refusal.badChunk;
  }

  /** @returns The offset behind what was swallowed. */
  swallow(input: Buffer, start: number, end: number): number {
    const next = Math.min(end, start + this.#remaining);
    const cr = start + this.#remaining - 2;
    if (cr >= start && cr < next && input[cr] !== CR) this.#endsWell = false;
    if (cr + 1 >= start && cr + 1 < next && input[cr + 1] !== LF) this.#endsWell = false;
    this.#remaining -= next - start;
    return next;
  }
}
