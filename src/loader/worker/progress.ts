/** The stages of a load, in order. */
export const STAGES = ['verify', 'scan', 'index', 'move', 'swap'] as const;
export type Stage = (typeof STAGES)[number];

/** Seconds that the stages of a load took. */
export type Seconds = Partial<Record<Stage, number>>;

/** How far a load is. */
export interface Progress {
  readonly stage: Stage;
  /** Bytes of the file that the stage is done with. */
  readonly bytes: number;
}

/** A load that runs. */
export interface RunningLoad {
  readonly path: string;
  /** What it has reported last. */
  progress: Progress;
  readonly sinceMs: number;
  /** Whether its size must not be shown yet: see `Drop.isLinked`. */
  readonly isLinked: boolean;
}

/** Called as a load goes on, after each small piece of work. */
export type OnProgress = (stage: Stage, bytes: number) => void;
