import type { Questions } from './questions.ts';

/** So many answered questions are kept before room is made. */
const DONE_MAX = 1_024;

/** The questions that one connection has been asked and has not answered, the oldest first. */
export class Pending {
  readonly #questions: (Questions | undefined)[] = [];
  readonly #indices: number[] = [];
  readonly #sinceMs: number[] = [];
  readonly #hops: number[] = [];
  #head = 0;

  get length(): number {
    return this.#questions.length - this.#head;
  }

  /** Since when the oldest waits. There must be one. */
  get oldestMs(): number {
    return this.#sinceMs[this.#head];
  }

  /** The oldest. There must be one. */
  get questions(): Questions {
    return this.#questions[this.#head]!;
  }

  get index(): number {
    return this.#indices[this.#head];
  }

  /** How many servers have sent the oldest elsewhere. */
  get hops(): number {
    return this.#hops[this.#head];
  }

  add(questions: Questions, index: number, sinceMs: number, hops: number): void {
    this.#questions.push(questions);
    this.#indices.push(index);
    this.#sinceMs.push(sinceMs);
    this.#hops.push(hops);
  }

  /** Forgets the oldest. */
  shift(): void {
    // Nothing keeps its answers here until the others have theirs.
    this.#questions[this.#head] = undefined;
    this.#head++;
    if (this.#head === this.#questions.length) this.#drop();
    else if (this.#head > DONE_MAX && this.#head * 2 > this.#questions.length) this.#drop();
  }

  #drop(): void {
    this.#questions.splice(0, this.#head);
    this.#indices.splice(0, this.#head);
    this.#sinceMs.splice(0, this.#head);
    this.#hops.splice(0, this.#head);
    this.#head = 0;
  }
}
