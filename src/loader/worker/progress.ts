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

/** Called as a load goes on, after each small piece of work. */
export type OnProgress = (stage: Stage, bytes: number) => void;

/** The last progress that a load has reported. */
export class LoadProgress {
  #last: Progress = { stage: 'verify', bytes: 0 };

  write(progress: Progress): void {
    this.#last = progress;
  }

  read(): Progress {
    return this.#last;
  }
}
