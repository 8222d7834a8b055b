import { expect, test } from 'vitest';
import { courseOf } from './report.ts';
import type { Sample } from './server.ts';

function samples(of: (i: number) => Partial<Sample>): readonly Sample[] {
  const usual = { residentBytes: 100e6, peakBytes: 0, descriptors: 40, threads: 14, ageMs: 0 };
  return Array.from({ length: 60 }, (_, i) => ({ ...usual, ...of(i) }));
}

test('the soak takes what goes up and down for flat', () => {
  const found = courseOf(samples((i) => ({ residentBytes: 100e6 + (i % 3) * 50e6 })));
  expect(found.isFlat).toBe(true);
});

test.each([
  ['memory', (i: number) => ({ residentBytes: 100e6 + i * 3e6 })],
  ['descriptors', (i: number) => ({ descriptors: 40 + i })],
  ['threads', (i: number) => ({ threads: 14 + i })],
])('the soak sees that %s grows', (_, of) => {
  const { isFlat, lines } = courseOf(samples(of));
  expect(isFlat).toBe(false);
  expect(lines.filter((line) => line.endsWith('GROWS'))).toHaveLength(1);
});
