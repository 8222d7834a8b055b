import { describe, expect, test } from 'vitest';
import { decodeItem, encodeItem, wishFault } from '../../src/once/item.ts';

const KEY = Buffer.from('/p/k\n');
const item = { value: Buffer.from([0, 13, 10, 255]), flags: 0xffff_fffe, type: 'text/plain' };

test('what etcd keeps of an item is what was set', () => {
  expect(decodeItem({ key: KEY, value: encodeItem(item), createRevision: 7 })).toEqual({
    ...item,
    revision: 7,
  });
});

describe('what another program wrote is no item', () => {
  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['a head that is cut off', encodeItem(item).subarray(0, 5)],
    ['another form', Buffer.concat([Buffer.of(2), encodeItem(item).subarray(1)])],
    ['a type that is longer than all', Buffer.from([1, 0, 0, 0, 0, 9, 120])],
    ['a type that no header can have', encodeItem({ ...item, type: 'a\r\nset-cookie: b' })],
  ])('%s', (_, bytes) => {
    expect(() => decodeItem({ key: KEY, value: bytes, createRevision: 7 })).toThrow(
      expect.objectContaining({
        code: 'DATA_CORRUPT',
        message: expect.stringMatching(/^etcd: key \/p\/k\\x0a: expected a value of goromdb once/),
      }),
    );
  });
});

test('a message shows the beginning of a long key that another program has made', () => {
  const long = { key: Buffer.alloc(1e6, 'k'), value: Buffer.alloc(0), createRevision: 7 };
  let message = '';
  try {
    decodeItem(long);
  } catch (error) {
    message = String(error);
  }
  expect(message).toContain('key kkk');
  expect(message.length).toBeLessThan(2_000);
});

/** What may be created must be readable afterwards. */
test.each([
  ['a control character', 'a\r\nset-cookie: b'],
  ['a tab', 'text/plain;\tq'],
  ['a letter that is not ASCII', 'text/caf\u00e9'],
  ['one that latin1 has not', 'text/\u4e2d'],
  ['more bytes than its length can say', 'a'.repeat(256)],
])('a type with %s cannot be set', (_, type) => {
  const wish = { key: Buffer.from('k'), ...item };
  expect(wishFault(wish)).toBeUndefined();
  expect(wishFault({ ...wish, type })).toMatch(
    /^expected a content type of at most \d+ visible ASCII/,
  );
});
