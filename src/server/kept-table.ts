/** The table that a thread with its memory to itself keeps, to go back to. */
import type { ServingThread } from './serving-thread.ts';

/** Whether the thread has this generation still, beside the one that it serves. */
export async function holdsTable(
  thread: ServingThread | undefined,
  set: string,
  generation: number,
): Promise<boolean> {
  // What a thread that dies has kept goes with it.
  const reply = await thread?.request({ kind: 'holds', set, generation }).catch(() => undefined);
  return reply?.isHeld ?? false;
}

/** Has the thread let go of it. */
export async function releaseTable(thread: ServingThread | undefined, set: string): Promise<void> {
  await thread?.request({ kind: 'release', set }).catch(() => {});
}
