import { expect, it } from 'vitest';
import {
  ageText,
  bytesText,
  countOf,
  latencyText,
  shareText,
  shortText,
  sinceText,
} from '../../../src/page/browser/figures.ts';

it.each([
  [0, '0 s'],
  [-5, '0 s'],
  [59.9, '59 s'],
  [60, '1 min'],
  [3_599, '59 min'],
  [3_600, '1 h'],
  [7_985, '2 h 13 min'],
  [86_400, '1 d'],
  [86_399 * 4 + 7_200, '4 d 1 h'],
])('%s seconds are %s', (seconds, text) => {
  expect(ageText(seconds)).toBe(text);
});

it.each([
  [0, '0'],
  [0.126, '0.13'],
  [9.999, '10'],
  [99.97, '100'],
  [999.4, '999'],
  [999.6, '1k'],
  [12_345, '12.3k'],
  [4_560_000, '4.56M'],
])('%s is %s', (value, text) => {
  expect(shortText(value)).toBe(text);
});

it('a hit rate below 100 % does not look like it', () => {
  expect([1, 0.999999, 0.9934, 0.985, 0].map(shareText)).toEqual([
    ...['100 %', '99.99 %', '99.34 %', '98.5 %', '0 %'],
  ]);
});

it('units follow the size', () => {
  expect([950, 214_000_000].map(bytesText)).toEqual(['950 B', '214 MB']);
  expect([0.000085, 0.0012, 3.4].map(latencyText)).toEqual(['85 µs', '1.2 ms', '3.4 s']);
  expect([countOf(1, 'key'), countOf(1234, 'key')]).toEqual(['1 key', '1,234 keys']);
});

it('a moment that is none is shown as such', () => {
  expect(sinceText(Number.NaN, 0)).not.toMatch(/NaN/);
});
