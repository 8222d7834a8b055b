import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SHARDS_MAX } from '../../src/shards/shards.ts';
import { SLOTS, slotOf, slotsOf } from '../../src/shards/slots.ts';

function slot(key: string | Uint8Array): number {
  const bytes = Buffer.from(key as string);
  const inside = Buffer.concat([Buffer.from('{x}'), bytes, Buffer.from('}')]);
  return slotOf(inside, 3, 3 + bytes.length);
}

// What CLUSTER KEYSLOT of redis-server 7.0.15 says of them (2026-11-28).
test.each([
  ['123456789', 0x31c3],
  ['', 0],
  ['foo', 12182],
  ['hello', 866],
  ['{user1000}.following', 3443],
  ['user1000', 3443],
  ['foo{}{bar}', 8363],
  ['foo{{bar}}zap', 4015],
  ['foo{bar}{zap}', 5061],
  ['{', 4092],
])('%j is in slot %i', (key, expected) => {
  expect(slot(key)).toBe(expected);
});

test('keys with the same tag share a slot, whatever is around it', () => {
  const text = fc.string({ unit: 'binary-ascii' }).map((part) => part.replaceAll(/[{}]/g, '_'));
  const tag = text.filter((part) => part !== '');
  fc.assert(
    fc.property(text, tag, fc.string(), (before, inner, behind) => {
      expect(slot(`${before}{${inner}}${behind}`)).toBe(slot(inner));
    }),
  );
});

test('the shards of any power of two have all slots, each once', () => {
  for (let count = 1; count <= SHARDS_MAX; count *= 2) {
    const ranges = Array.from({ length: count }, (_, idx) => slotsOf(idx, count));
    const inOrder = ranges.toSorted((a, b) => a.first - b.first);
    expect(inOrder[0].first).toBe(0);
    expect(inOrder.at(-1)!.last).toBe(SLOTS - 1);
    for (const [i, { first, last }] of inOrder.entries()) {
      expect(last - first + 1).toBe(SLOTS / count);
      if (i > 0) expect(first).toBe(inOrder[i - 1].last + 1);
    }
  }
});

test('twice as many shards split shard i into i and i + n, and move nothing else', () => {
  for (let count = 1; count < SHARDS_MAX; count *= 2) {
    for (let idx = 0; idx < count; idx++) {
      const { first, last } = slotsOf(idx, count);
      const halves = [slotsOf(idx, 2 * count), slotsOf(idx + count, 2 * count)];
      const inOrder = halves.toSorted((a, b) => a.first - b.first);
      expect([inOrder[0].first, inOrder[1].last]).toEqual([first, last]);
      expect(inOrder[1].first).toBe(inOrder[0].last + 1);
    }
  }
});
