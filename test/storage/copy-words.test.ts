import { expect, test } from 'vitest';
import { copyWords, equalWords, viewOf, WORDS_SLACK_BYTES } from '../../src/storage/copy-words.ts';
import { Random } from '../support/random-bytes.ts';

const SIZE = 600;

function randomBuffer(random: Random): Buffer {
  return Buffer.from(Array.from({ length: SIZE }, () => random.below(256)));
}

test('copies any bytes from any place to any place, and hardly touches what is behind', () => {
  const random = new Random(1);
  for (let length = 0; length <= 40; length++) {
    const source = randomBuffer(random);
    const target = randomBuffer(random);
    const before = Buffer.from(target);
    const [start, at] = [random.below(100), random.below(100)];
    copyWords(viewOf(target), at, viewOf(source), start, start + length);
    expect(target.subarray(at, at + length)).toEqual(source.subarray(start, start + length));
    expect(target.subarray(0, at)).toEqual(before.subarray(0, at));
    const behind = at + length + WORDS_SLACK_BYTES;
    expect(target.subarray(behind)).toEqual(before.subarray(behind));
  }
});

test('finds each single byte that differs', () => {
  const random = new Random(2);
  for (let length = 0; length <= 20; length++) {
    const a = randomBuffer(random);
    const b = Buffer.from(a);
    expect(equalWords(viewOf(a), 3, viewOf(b), 3, length)).toBe(true);
    for (let i = 0; i < length; i++) {
      b[3 + i] ^= 1 << random.below(8);
      expect(equalWords(viewOf(a), 3, viewOf(b), 3, length)).toBe(false);
      b[3 + i] = a[3 + i];
    }
    b[3 + length] ^= 1;
    b[2] ^= 1;
    expect(equalWords(viewOf(a), 3, viewOf(b), 3, length)).toBe(true);
  }
});
