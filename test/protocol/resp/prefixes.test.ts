import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reply, STEP_WORK_MAX } from '../../../src/protocol/reply.ts';
import { joinedPrefixes } from '../../../src/protocol/resp/prefixes.ts';
import { cpuMs } from '../../support/cpu-time.ts';

/** Few letters, so that many overlap; the last one is the highest that there is. */
const PREFIX = fc.string({ unit: fc.constantFrom('a', 'b', '\xff'), maxLength: 5 });

const overlap = (a: string, b: string): boolean => a.startsWith(b) || b.startsWith(a);

/** As Redis defines it: each provided one with the existing ones, then with those behind it. */
function expected(existing: readonly string[], provided: readonly string[]) {
  for (const [i, prefix] of provided.entries()) {
    const old = existing.find((other) => overlap(prefix, other));
    const other = old ?? provided.slice(i + 1).find((one) => overlap(prefix, one));
    const kind = old === undefined ? 'another provided' : 'an existing';
    if (other !== undefined) {
      return `ERR Prefix '${prefix}' overlaps with ${kind} prefix '${other}'. Prefixes for a single client must not overlap.`;
    }
  }
  const all = [...existing, ...provided];
  return all.length === 0 ? [''] : all.sort();
}

describe('prefixes of CLIENT TRACKING', () => {
  it('are distinguished as by a comparison of each with each', () => {
    const apart = fc.array(PREFIX, { maxLength: 8 }).map((all) => {
      return all.filter((one, i) => !all.slice(0, i).some((other) => overlap(one, other))).sort();
    });
    let joined = 0;
    fc.assert(
      fc.property(apart, fc.array(PREFIX, { maxLength: 4 }), (existing, provided) => {
        const found = joinedPrefixes(existing, provided, new Reply());
        expect(found).toEqual(expected(existing, provided));
        if (typeof found !== 'string') joined++;
      }),
      { numRuns: 5_000 },
    );
    expect(joined).toBeGreaterThan(500);
    expect(joined).toBeLessThan(4_500);
  });

  /** Times its charge that a join may take, on whatever machine: a unit is about a microsecond. */
  const SLACK = 5;

  it.each([
    ['differ in their ends', (i: number) => `${i}`.padStart(1_024)],
    ['differ in their ends, and two do not', (i: number) => `${Math.min(i, 62)}`.padStart(1_024)],
  ])('cost what is charged for them when they %s', (_, prefix) => {
    const provided = Array.from({ length: 64 }, (__, i) => prefix(i + 1));
    const rounds = Array.from({ length: 20 }, () => {
      const reply = new Reply();
      const beforeMs = cpuMs();
      for (let i = 0; i < 10; i++) joinedPrefixes([], provided, reply);
      return { tookUs: (cpuMs() - beforeMs) * 1_000, work: reply.work };
    });
    const [{ work }] = rounds;
    expect(work / 10).toBeLessThan(STEP_WORK_MAX);
    expect(Math.min(...rounds.map(({ tookUs }) => tookUs))).toBeLessThan(work * SLACK);
  });
});
