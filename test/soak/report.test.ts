import { expect, test } from 'vitest';
import { courseOf } from './report.ts';
import type { Sample } from './server.ts';

function samples(of: (i: number) => Partial<Sample>): readonly Sample[] {
  const usual = { residentBytes: 100e6, peakBytes: 0, descriptors: 40, threads: 14, ageMs: 0 };
  return Array.from({ length: 60 }, (_, i) => ({ ...usual, ageMs: (60 + i) * 1_001, ...of(i) }));
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

test('the soak does not judge the memory of a process that has just begun', () => {
  const young = samples((i) => ({ residentBytes: 100e6 + i * 3e6, ageMs: i * 1_000 }));
  const { isFlat, lines } = courseOf(young);
  expect(isFlat).toBe(true);
  expect(lines[0]).toBe('resident MiB: the process is too young to judge');
});
