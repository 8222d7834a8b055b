import { expect, it } from 'vitest';
import { Glob, PATTERN_BYTES_MAX } from '../../../src/protocol/resp/glob.ts';
import { Random } from '../../support/random-bytes.ts';

/** One place of a pattern: a star, or the characters that it takes. */
type Place = '*' | ((char: string) => boolean);

/** Reads the class whose bracket is at `at`. */
function classAt(pattern: string, at: number): { next: number; place: Place } {
  const isNegated = pattern[at + 1] === '^';
  const ranges: [string, string][] = [];
  let next = isNegated ? at + 2 : at + 1;
  while (next < pattern.length && pattern[next] !== ']') {
    const isEscape = pattern[next] === '\\' && next + 1 < pattern.length;
    const isRange = !isEscape && pattern[next + 1] === '-' && next + 2 < pattern.length;
    const from = pattern[isEscape ? next + 1 : next];
    const to = isRange ? pattern[next + 2] : from;
    ranges.push(from < to ? [from, to] : [to, from]);
    next += isRange ? 3 : isEscape ? 2 : 1;
  }
  const place = (char: string): boolean =>
    ranges.some(([from, to]) => char >= from && char <= to) !== isNegated;
  return { next: next + 1, place };
}

function placesOf(pattern: string): readonly Place[] {
  const places: Place[] = [];
  for (let at = 0; at < pattern.length; ) {
    const char = pattern[at];
    if (char === '[') {
      const { next, place } = classAt(pattern, at);
      places.push(place);
      at = next;
      continue;
    }
    const isEscape = char === '\\' && at + 1 < pattern.length;
    const wanted = isEscape ? pattern[at + 1] : char;
    if (char === '*') places.push('*');
    else if (char === '?') places.push(() => true);
    else places.push((found) => found === wanted);
    at += isEscape ? 2 : 1;
  }
  return places;
}

/** Matches in the plain way: which beginnings of the text do the places so far match? */
function matches(places: readonly Place[], text: string): boolean {
  let matched = [true, ...Array<boolean>(text.length).fill(false)];
  for (const place of places) {
    const next = Array<boolean>(text.length + 1).fill(false);
    for (let at = 0; at <= text.length; at++) {
      if (place === '*') next[at] = matched[at] || next[at - 1] === true;
      else if (at > 0) next[at] = matched[at - 1] && place(text[at - 1]);
    }
    matched = next;
  }
  return matched[text.length];
}

it('a pattern matches as the plain way says, and beside another pattern', () => {
  const random = new Random(2026);
  const word = (letters: string, lengthMax: number): string =>
    Array.from({ length: random.below(lengthMax + 1) }, () => {
      return letters[random.below(letters.length)];
    }).join('');
  const other = new Glob(Buffer.from('[^b]*b?*'));
  let count = 0;
  for (let i = 0; i < 30_000; i++) {
    const isLong = i % 50 === 0;
    const pattern = word('***??[[]]^-\\abcab', isLong ? PATTERN_BYTES_MAX : 8);
    const text = word(i % 2 === 0 ? 'abc' : 'abc*-]\\^', isLong ? 100 : 8);
    const bytes = Buffer.from(text);
    const glob = new Glob(Buffer.from(pattern));
    const expected = matches(placesOf(pattern), text);
    const found = [glob.matches(bytes, 0, bytes.length)];
    // All patterns share the memory for what bytes they take.
    other.matches(bytes, 0, bytes.length);
    found.push(glob.matches(bytes, 0, bytes.length));
    expect({ pattern, text, found }).toEqual({ pattern, text, found: [expected, expected] });
    if (expected) count++;
  }
  expect(count).toBeGreaterThan(1_000);
});
