/** The stages of a load, in order. */
export const STAGES = ['verify', 'scan', 'index', 'move', 'switch'] as const;
export type Stage = (typeof STAGES)[number];

/** Seconds that the stages of a load took. */
export type Seconds = Partial<Record<Stage, number>>;

/** How far a load is. */
export interface Progress {
  readonly stage: Stage;
  /** Bytes of the file that the stage is done with. */
  readonly bytes: number;
}

/**
 * Progress in memory that the loader worker writes and the main thread reads when it likes, so that
 * telling it costs no messages.
 */
export class ProgressMemory {
  readonly memory: SharedArrayBuffer;
  readonly #words: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.memory = memory;
    this.#words = new Float64Array(memory);
  }

  write(stage: Stage, bytes: number): void {
    this.#words[0] = STAGES.indexOf(stage);
    this.#words[1] = bytes;
  }

  read(): Progress {
    return { stage: STAGES[this.#words[0]], bytes: this.#words[1] };
  }
}
