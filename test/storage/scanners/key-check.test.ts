import { describe, expect, it } from 'vitest';
import { KeyCheck } from '../../../src/storage/scanners/key-check.ts';

/** What is told of these keys, each at the place of its number. */
function noticesOf(...keys: readonly string[]): readonly string[] {
  const check = new KeyCheck();
  for (const [i, text] of keys.entries()) {
    check.locate = () => `byte ${i}`;
    // Keys lie in the middle of a block.
    const block = Buffer.from(`  ${text}  `);
    check.look(block, 2, block.length - 2);
  }
  return check.notices();
}

const fitting = ['a', 'é', 'k'.repeat(250), '!', '~'];

describe('keys that memcached’s text clients cannot ask for', () => {
  it('are none among those that they can', () => {
    expect(noticesOf(...fitting)).toEqual([]);
    expect(noticesOf()).toEqual([]);
  });

  it.each(['New York', 'a\tb', '\x7f', 'a\n', ' '])(
    'have a space or a control character: %j',
    (key) => {
      expect(noticesOf('a', key, key)).toEqual([
        "2 keys have a space or a control character, which memcached's text clients cannot ask for; " +
          `the first is ${JSON.stringify(key).replace('\x7f', '\\u007f')}, at byte 1`,
      ]);
    },
  );

  it('are too long', () => {
    expect(noticesOf('a', 'k'.repeat(251))).toEqual([
      expect.stringMatching(
        /^1 key is longer than 250 bytes, which .*; the first is "k+\.\.\." of 251 bytes, at byte 1$/,
      ),
    ]);
  });

  it('are empty', () => {
    expect(noticesOf('a', '')).toEqual([
      "the empty key, which memcached's clients cannot ask for, at byte 1",
    ]);
  });

  it('all end in NUL, as C programs write them: that is reported once', () => {
    expect(noticesOf('a\0', 'b\0')).toEqual([
      'all 2 keys end in a NUL, as C programs write them: a client finds a key only with its NUL, ' +
        `which memcached's text clients cannot send; the first is "a\\u0000", at byte 0`,
    ]);
    expect(noticesOf('a\0', 'b')).toEqual([
      "1 key has a space or a control character, which memcached's text clients cannot ask for; " +
        'the first is "a\\u0000", at byte 0',
    ]);
  });

  it.each([
    [['a', 'b\0', 'c d'], '"b\\u0000"'],
    [['a', 'b c', 'd\0'], '"b c"'],
  ])('some end in NUL, others have a space: the first of all is told (%j)', (keys, first) => {
    expect(noticesOf(...keys)).toEqual([
      expect.stringMatching(/^2 keys have a space or a control character, /),
    ]);
    expect(noticesOf(...keys)[0]).toContain(`; the first is ${first}, at byte 1`);
  });

  it('are of several kinds: each is reported', () => {
    expect(noticesOf('a b', '', 'k'.repeat(300))).toHaveLength(3);
  });
});
