import { GoromdbError } from './errors.ts';
import { defaultTableBytesMax } from './loader/memory.ts';

/** A data set, as far as memory goes. */
interface Sharer {
  readonly memoryBytes?: number | undefined;
}

/**
 * Divides what the data sets of a process may take in memory. Who has a number of its own gets that;
 * the others have equal parts of the rest. The parts do not depend on what was loaded first, so that
 * a restart maps the same data sets as before.
 *
 * @param total For all of them; undefined: a share of what the machine or cgroup has.
 * @returns The bytes for each, in the same order.
 * @throws GoromdbError OPTION_INVALID when their own come to more than `total`.
 */
export function shareMemory(total: number | undefined, sets: readonly Sharer[]): readonly number[] {
  let own = 0;
  let others = 0;
  for (const { memoryBytes } of sets) {
    if (memoryBytes === undefined) others++;
    else own += memoryBytes;
  }
  if (total !== undefined && own > total) {
    const message = `memory: the data sets have ${own} bytes of their own, which is more than the ${total} of all of them`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
  const all = total ?? defaultTableBytesMax();
  const rest = all === Number.POSITIVE_INFINITY ? all : Math.max(0, all - own);
  return sets.map(({ memoryBytes }) => memoryBytes ?? Math.floor(rest / others));
}
