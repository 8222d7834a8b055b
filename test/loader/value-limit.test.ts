import { expect, test } from 'vitest';
import { longestValue } from '../../src/loader/worker/value-limit.ts';

const MIB = 1024 * 1024;

test('the longest value that is loaded is a share of the memory, within bounds', () => {
  expect(longestValue(128 * MIB)).toBe(64 * MIB);
  expect(longestValue(1024 * MIB)).toBe(128 * MIB);
  expect(longestValue(64 * 1024 * MIB)).toBe(512 * MIB);
  expect(longestValue()).toBeGreaterThanOrEqual(64 * MIB);
});
