import { describe, expect, test } from 'vitest';
import { decodeItem, encodeItem } from '../../src/once/item.ts';

const item = { value: Buffer.from([0, 13, 10, 255]), flags: 0xffff_fffe, type: 'text/plain' };

test('what etcd keeps of an item is what was set', () => {
  expect(decodeItem(encodeItem(item), 7)).toEqual({ ...item, revision: 7 });
});

describe('what another program wrote is no item', () => {
  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['a head that is cut off', encodeItem(item).subarray(0, 5)],
    ['another form', Buffer.concat([Buffer.of(2), encodeItem(item).subarray(1)])],
    ['a type that is longer than all', Buffer.from([1, 0, 0, 0, 0, 9, 120])],
    ['a type that no header can have', encodeItem({ ...item, type: 'a\r\nset-cookie: b' })],
  ])('%s', (_, bytes) => {
    expect(() => decodeItem(bytes, 7)).toThrow(expect.objectContaining({ code: 'DATA_CORRUPT' }));
  });
});
