/**
 * Runs jobs side by side, so many at a time, and waits for all of them, also when one fails.
 *
 * @throws What the first of them in order threw.
 */
export async function inParallel<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.entries();
  const failures: (readonly [number, unknown])[] = [];
  const lane = async (): Promise<void> => {
    for (const [number, item] of waiting) {
      await work(item).catch((error: unknown) => failures.push([number, error]));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  const [first] = failures.sort(([a], [b]) => a - b);
  if (first !== undefined) throw first[1];
}
