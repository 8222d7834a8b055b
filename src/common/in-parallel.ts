/**
 * Runs a job for each item, `atOnce` at a time, and waits for all of them, even when one fails.
 *
 * @throws The error of the first item, in their order, whose job failed.
 */
export async function inParallel<T>(
  items: readonly T[],
  atOnce: number,
  job: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.entries();
  const failures: (readonly [number, unknown])[] = [];
  const lane = async (): Promise<void> => {
    for (const [number, item] of waiting) {
      await job(item).catch((error: unknown) => failures.push([number, error]));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  const [first] = failures.sort(([a], [b]) => a - b);
  if (first !== undefined) throw first[1];
}
